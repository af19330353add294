"""What the measurements of text share: a loop that continues prompts, and the share of repeated n-grams.

The end of text is forbidden, so that repetition can show. This file measures nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.inputs import TOKENS

Rule = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""logits (B, V), prompts (B, P), new tokens (B, G) -> logits (B, V)"""


def repeated(ids: list[int], n: int = 4) -> float:
    """Share of the n-grams that occurred earlier in the same text.

    >>> repeated([1, 2, 3, 4, 1, 2, 3, 4], 4)
    0.2
    """
    grams = [tuple(ids[i:i + n]) for i in range(len(ids) - n + 1)]
    return round(1 - len(set(grams)) / len(grams), 12)


@torch.inference_mode()
def continue_all(lm, prompts: torch.Tensor, rule: Rule, pick) -> tuple[float, float]:
    """Mean repetition, and mean nats a token, of TOKENS new tokens after each of prompts (B, T).

    `nats` is the mean of -log p of the chosen tokens under the model itself: temperature 1, no rule.
    """
    cache, step = lm.new_cache(len(prompts)), prompts
    new = torch.empty(len(prompts), 0, dtype=torch.long)
    nats = []
    for _ in range(TOKENS):
        plain = lm.logits(step, cache=cache)[:, -1].double()
        plain[:, lm.eos_id] = -torch.inf
        step = pick(rule(plain, prompts, new))[:, None]
        nats.append(-plain.log_softmax(-1).gather(-1, step).mean())
        new = torch.cat([new, step], 1)
    return sum(map(repeated, new.tolist())) / len(new), float(torch.stack(nats).mean())
