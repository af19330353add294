"""Computes the rows of the lecture ledger about decoding (book/ledger/part6.yml): results/decoding.json.

    python -m benchmarks.decoding_claims

Each function computes one row and returns its numbers. Random rows come from fixed seeds; the shipped model is used where
a claim is about a model. The functions under test are the course's own, taken from solutions/.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import torch

import llmlab
from benchmarks.inputs import pairs, questions, rows, trees, worked_sums, wrong
from benchmarks.record import write

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from llmlab import models  # noqa: E402  (after the choice of the code)
from llmlab.decoding import apply_temperature, greedy, top_k, top_k_top_p, top_p  # noqa: E402
from llmlab.models.train import probe  # noqa: E402
from llmlab.penalties import (  # noqa: E402
    frequency_penalty,
    length_penalty,
    no_repeat_ngram,
    presence_penalty,
    repetition_penalty,
)

COMMAND = "python -m benchmarks.decoding_claims"
NONE = torch.empty(1, 0, dtype=torch.long)


def entropy(logits: torch.Tensor) -> torch.Tensor:
    """Entropy in nats of softmax(logits), last axis."""
    logp = logits.log_softmax(-1)
    return -(logp.exp() * logp).nan_to_num(0.0).sum(-1)


def kept(logits: torch.Tensor) -> torch.Tensor:
    return logits > -math.inf


def row_01(lm) -> dict:
    logits = lm.next_logits(torch.tensor([lm.encode("Once upon a time")]), None)
    return {"logits": logits.shape[-1], "vocabulary": len(lm.pieces)}


def best(tree: dict, vocab: int = 5, depth: int = 5) -> tuple:
    """The most probable sequence, by trying all of them."""
    return max(itertools.product(range(vocab), repeat=depth),
               key=lambda seq: sum(tree[seq[:i]][seq[i]] for i in range(depth)))


def beams(tree: dict, width: int, per_beam: int, vocab: int = 5, depth: int = 5) -> list[tuple]:
    """Beam search that looks at the `per_beam` best continuations of each beam; sequences, best first."""
    live = [((), 0.0)]
    for _ in range(depth):
        grown = []
        for prefix, score in live:
            for token in sorted(range(vocab), key=lambda t: -tree[prefix][t])[:per_beam]:
                grown.append(((*prefix, token), score + tree[prefix][token]))
        live = sorted(grown, key=lambda item: -item[1])[:width]
    return [prefix for prefix, _ in live]


def row_02_03() -> dict:
    found = {"02_trees": 0, "02_greedy_best": 0, "03_trees": 0, "03_prefilter_differs": 0, "03_beam_best": 0}
    for tree in trees():
        top = best(tree)
        found["02_trees"] += 1
        found["02_greedy_best"] += beams(tree, 1, 1)[0] == top
        found["03_trees"] += 1
        found["03_prefilter_differs"] += beams(tree, 3, 3) != beams(tree, 3, 5)
        found["03_beam_best"] += beams(tree, 3, 3)[0] == top
    return found


def row_04() -> dict:
    z = rows(2000)
    only = kept(top_k(z, 1))
    return {"rows": len(z), "same": int(((only.sum(-1) == 1) & only.gather(-1, greedy(z)[:, None])[:, 0]).sum())}


def row_05() -> dict:
    z = rows(2000)
    one, other = kept(top_k_top_p(z, 10, 0.8)), kept(top_k(top_p(z, 0.8), 10))
    return {"rows": len(z), "differ": int((one != other).any(-1).sum())}


def row_06() -> dict:
    z = rows(200)
    cut = top_p(z, 0.8)
    change = 0.0
    for before, after in zip(z.softmax(-1), cut.softmax(-1), strict=True):
        a, b = before[after > 0], after[after > 0]
        change = max(change, float(((b / b[0]) / (a / a[0]) - 1).abs().max()))
    return {"ratio_change": change, "entropy_before": float(entropy(z[0])), "entropy_after": float(entropy(cut[0]))}


def row_07(lm) -> dict:
    """Wrong answers at temperature 0 and 1."""
    asked = questions()
    said = {t: [lm.decode(ids) for ids in probe.continued(lm, [prompt for prompt, _ in asked], 60, t, seed=7)]
            for t in (0.0, 1.0)}
    return {"questions": len(asked), "wrong_at_zero": wrong(asked, said[0.0]), "wrong_at_one": wrong(asked, said[1.0])}


def row_08() -> dict:
    z, step, worst = rows(50), 1e-4, 0.0
    for t in (0.5, 0.8, 1.0, 1.5, 3.0):
        slope = (entropy(z / (t + step)) - entropy(z / (t - step))) / (2 * step)
        p = (z / t).softmax(-1)
        var = (p * z**2).sum(-1) - (p * z).sum(-1) ** 2
        worst = max(worst, float((slope / (var / t**3) - 1).abs().max()))
    return {"slope_error": worst, "entropy_cold": abs(float(entropy(apply_temperature(z, 0.0)).max())),
            "entropy_hot": float(entropy(apply_temperature(z, math.inf)).min()), "log_v": math.log(z.shape[-1])}


def row_09() -> dict:
    z = rows(2000)
    hot = apply_temperature(z, 2.0)
    return {"rows": len(z), "top_p_changed": int((kept(top_p(z, 0.9)) != kept(top_p(hot, 0.9))).any(-1).sum()),
            "top_k_changed": int((kept(top_k(z, 10)) != kept(top_k(hot, 10))).any(-1).sum())}


def row_10() -> dict:
    z, seen, theta = torch.tensor([[2.0, 1.0, 0.5, -2.0]], dtype=torch.float64), torch.tensor([[0]]), 1.5
    multiplied = z.clone()
    multiplied[0, 0] *= theta
    return {"p_before": float(z.softmax(-1)[0, 0]), "p_multiplied": float(multiplied.softmax(-1)[0, 0]),
            "p_rule": float(repetition_penalty(z, NONE, seen, theta).softmax(-1)[0, 0])}


def row_11() -> dict:
    z, generated = torch.zeros(1, 4, dtype=torch.float64), torch.tensor([[2, 2, 2]])
    return {"presence": float(presence_penalty(z, NONE, generated, 0.3)[0, 2]),
            "frequency": float(frequency_penalty(z, NONE, generated, 0.3)[0, 2])}


def row_12() -> dict:
    """The pair: 4 tokens with log-probability -4, and 9 tokens with -7. The scores are equal at this exponent."""
    short, long = (-4.0, 4), (-7.0, 9)
    flip = math.log(long[0] / short[0]) / math.log(long[1] / short[1])
    for alpha, first in ((flip - 0.01, short), (flip + 0.01, long)):
        other = long if first is short else short
        if not length_penalty(*first, alpha) > length_penalty(*other, alpha):
            raise AssertionError(f"the ranking does not flip at {flip}")
    return {"flip": flip}


def row_13() -> dict:
    disagree = 0
    for pair in pairs():
        hf, gnmt = ([length_penalty(total, n, 0.6, form) for total, n in pair] for form in ("hf", "gnmt"))
        disagree += (hf[0] > hf[1]) != (gnmt[0] > gnmt[1])
    return {"pairs": len(pairs()), "disagree": disagree}


def row_14(lm) -> dict:
    """Along each right answer: whether the 3-gram ban forbids a token of it, and its probability with and without 1.05."""
    cases = worked_sums(lm)
    banned, plain, penalised = 0, 0.0, 0.0
    for prompt, answer in cases:
        ids = torch.tensor([prompt + answer])
        logits = lm.logits(ids)[0, len(prompt) - 1:-1].double()  # row i: before answer[i]
        places = [(i, ids[:, :len(prompt)], ids[:, len(prompt):len(prompt) + i], logits[i:i + 1]) for i in range(len(answer))]
        banned += any(no_repeat_ngram(row, start, new, 3)[0, answer[i]] == -math.inf for i, start, new, row in places)
        plain += math.exp(sum(float(row.log_softmax(-1)[0, answer[i]]) for i, _, _, row in places))
        penalised += math.exp(sum(float(repetition_penalty(row, start, new, 1.05).log_softmax(-1)[0, answer[i]])
                                  for i, start, new, row in places))
    return {"cases": len(cases), "banned": banned, "p_plain": plain / len(cases), "p_penalty": penalised / len(cases)}


@torch.inference_mode()
def main() -> None:
    torch.set_num_threads(1)
    lm = models.load("target")
    found = {"01": row_01(lm), "04": row_04(), "05": row_05(), "06": row_06(), "07": row_07(lm), "08": row_08(),
             "09": row_09(), "10": row_10(), "11": row_11(), "12": row_12(), "13": row_13(), "14": row_14(lm)}
    values = {f"ledger_0_{row}_{key}": value for row, numbers in found.items() for key, value in numbers.items()}
    values |= {f"ledger_0_{key}": value for key, value in row_02_03().items()}
    write("decoding", COMMAND, values)


if __name__ == "__main__":
    main()
