"""The law of long runs: Pearson's chi-square on the tokens that follow each token; wrong laws by name.

The world of such a run remembers one token, so the texts are a Markov chain whose rows are known.
"""

from __future__ import annotations

import torch
from torch import Tensor

from llmlab.checks.compare import chi_square_p, show
from llmlab.checks.protocol import PASS, Verdict
from llmlab.checks.speculative import plain
from llmlab.checks.speculative.plain import Run
from llmlab.checks.speculative.processed import PLAIN, Settings

REJECT, LIKE = 1e-12, 1e-3
"""A long run makes at most a hundred tests; each rejects below this. A wrong law above `LIKE` is named."""


def followers(run: Run, rows: list[list[int]]) -> Tensor:
    """(V, V) counts: token b behind token a, prompts' last tokens included as a."""
    texts = torch.tensor([[*prompt[-1:], *row] for prompt, row in zip(run.prompts, rows, strict=True)])
    codes = texts[:, :-1] * run.world.vocab + texts[:, 1:]
    return torch.bincount(codes.flatten(), minlength=run.world.vocab**2).reshape(run.world.vocab, -1)


def laws(run: Run, settings: Settings, draft: bool = False) -> Tensor:
    return torch.tensor(
        [run.world.law((a,), settings, draft) for a in range(run.world.vocab)], dtype=torch.float64
    )


def worst(counts: Tensor, probs: Tensor) -> float:
    """The smallest p-value of all rows."""
    return min(chi_square_p(c, p) for c, p in zip(counts, probs, strict=True) if int(c.sum()))


def long_run(run: Run, rows: list[list[int]]) -> Verdict:
    """Chi-square of what follows each token."""
    if {len(row) for row in rows} != {run.new}:
        return Verdict(
            False,
            f"Every row should have {run.new} new tokens.",
            str(run.new),
            str(sorted({len(r) for r in rows})[:8]),
            "max-new-tokens-overshot" if max(map(len, rows)) > run.new else "",
        )
    counts = followers(run, rows)
    p_value = worst(counts, laws(run, run.settings))
    if p_value >= REJECT:
        return PASS
    said = f"({int(counts.sum())} tokens, chi-square p = {p_value:.1g})"
    wrong = [
        ("target-ignores-settings", laws(run, PLAIN), plain.RULES["target-ignores-settings"][1]),
        *(
            (name, laws(run, Settings(*run.settings[:many])), plain.RULES[name][1])
            for many, name in ((1, "target-not-truncated"), (2, "target-ignores-top-p-and-min-p"))
        ),
        (
            "accepts-every-draft",
            laws(run, run.settings, True),
            "The tokens follow the draft's law.",
        ),
    ]
    shown = (
        show(laws(run, run.settings)[0]),
        show((counts / counts.sum(1, keepdim=True).clamp(min=1))[0]),
    )
    for name, probs, words in wrong:
        if worst(counts, probs) > LIKE:
            return Verdict(False, f"{words} {said}", *shown, name)
    return Verdict(
        False,
        f"The tokens do not follow the target's law, as your ModelDraft and generate work together {said}.",
        *shown,
        "law-of-long-runs",
    )
