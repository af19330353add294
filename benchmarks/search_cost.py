"""What search and penalties do to text, and what penalties do to a task. Writes results/search.json.

    python -m benchmarks.search_cost

Three tables: beam widths on the prompts of benchmarks/inputs.py; penalties on the same prompts, greedy; the same
penalties on sums that the model was not trained on. A sum counts as right if the last line of the answer is.
"""

from __future__ import annotations

from pathlib import Path

import torch

import llmlab
from benchmarks.continuations import Rule, continue_all, repeated
from benchmarks.inputs import PROMPTS, START, SUMS, TOKENS, is_right, stories, sums
from benchmarks.record import write

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from llmlab import models  # noqa: E402  (after the choice of the code)
from llmlab.decoding import beam_search, greedy  # noqa: E402
from llmlab.penalties import (  # noqa: E402
    frequency_penalty,
    no_repeat_ngram,
    presence_penalty,
    repetition_penalty,
)

COMMAND = "python -m benchmarks.search_cost"
ANSWER = 60
"""Tokens that an answer may have."""
WIDTHS, BEAM_TOKENS = (1, 4, 16), 60
RULES: dict[str, Rule] = {
    "nothing": lambda z, prompt, new: z,
    "repetition_mild": lambda z, prompt, new: repetition_penalty(z, prompt, new, 1.05),
    "repetition": lambda z, prompt, new: repetition_penalty(z, prompt, new, 1.3),
    "presence": lambda z, prompt, new: presence_penalty(z, prompt, new, 2.0),
    "frequency": lambda z, prompt, new: frequency_penalty(z, prompt, new, 1.0),
    "ngram": lambda z, prompt, new: no_repeat_ngram(z, prompt, new, 4),
}


@torch.inference_mode()
def sums_right(lm, rule: Rule) -> int:
    """How many of the sums greedy decoding gets right under a rule. All prompts have the same number of tokens."""
    asked = sums()
    prompts = torch.tensor([[lm.bos_id, *lm.encode(f"{a} + {b}\n")] for a, b in asked])
    cache, step, new = lm.new_cache(len(prompts)), prompts, torch.empty(len(prompts), 0, dtype=torch.long)
    for _ in range(ANSWER):
        step = greedy(rule(lm.logits(step, cache=cache)[:, -1].double(), prompts, new))[:, None]
        new = torch.cat([new, step], 1)
    return sum(is_right(lm.decode(row), a, b) for row, (a, b) in zip(new.tolist(), asked, strict=True))


@torch.inference_mode()
def beam(lm, prompts: list[list[int]], width: int) -> tuple[float, float]:
    """Mean repetition and mean nats a token of the best hypothesis of `width` beams, all of the same length."""

    def without_end(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        logits = lm.next_logits(ids, mask)
        logits[:, lm.eos_id] = -torch.inf
        return logits

    best = [beam_search(without_end, prompt, beams=width, max_new_tokens=BEAM_TOKENS)[0] for prompt in prompts]
    return sum(repeated(ids) for _, ids in best) / len(best), -sum(score for score, _ in best) / len(best)


def main() -> None:
    torch.set_num_threads(1)
    lm = models.load("target")
    texts = stories(lm)
    prompts = torch.tensor([ids[:START] for ids in texts])
    values: dict[str, float] = {"prompts": PROMPTS, "tokens": TOKENS, "sums": SUMS, "beam_tokens": BEAM_TOKENS}
    for name, rule in RULES.items():
        repeat, nats = continue_all(lm, prompts, rule, greedy)
        values |= {f"repeat_{name}": repeat, f"nats_{name}": nats, f"sums_{name}": sums_right(lm, rule)}
        print(f"{name}: {repeat:.0%} repeated, {nats:.2f} nats a token, {values[f'sums_{name}']} sums right")
    for width in WIDTHS:
        repeat, nats = beam(lm, prompts.tolist(), width)
        values |= {f"repeat_beam{width}": repeat, f"nats_beam{width}": nats}
        print(f"{width} beams: {repeat:.0%} repeated, {nats:.2f} nats a token")
    write("search", COMMAND, values)


if __name__ == "__main__":
    main()
