"""The shipped models, loaded once before any student's code comes, and quick when a text grows token by
token.

A student's `generate` shows the model the whole text again at every step. `Quick` sees that the text is the
last one and one token more, and computes only that token. The logits are the same up to float32 rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

READY = ("target", "draft")
ROWS = 64


class Quick:
    """Stands for `lm.next_logits`."""

    def __init__(self, lm: Any):
        self.lm, self.plain = lm, lm.next_logits
        self.weights = list(lm.model.parameters())
        self.last: tuple[Tensor, Tensor, int] | None = None
        self.cache: Any = None

    @torch.no_grad()
    def __call__(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Next-token logits (B, V), as `LM.next_logits`."""
        mask = torch.ones_like(ids) if attention_mask is None else attention_mask
        usual = ids.ndim == 2 and ids.shape == mask.shape and ids.shape[1] > 0 and 0 < len(ids) <= ROWS
        if not usual:
            return self.plain(ids, attention_mask)
        state = sum(weight._version for weight in self.weights)
        old = self.known(ids, mask, state)
        if not old:
            self.cache = self.lm.new_cache(len(ids))
        self.last = None  # not known until the model has answered
        new = None if attention_mask is None else mask[:, old:]
        logits = self.lm.model(ids[:, old:], new, self.cache, last_only=True)[:, -1]
        self.last = ids.clone(), mask.clone(), state
        return logits

    def known(self, ids: Tensor, mask: Tensor, state: int) -> int:
        """How many columns the cache holds, if these are they and one more; else 0."""
        if self.last is None or self.last[2] != state or ids.shape[1] != self.last[0].shape[1] + 1:
            return 0
        pairs = ((ids[:, :-1], self.last[0]), (mask[:, :-1], self.last[1]))
        same = all(now.dtype == then.dtype and torch.equal(now, then) for now, then in pairs)
        return ids.shape[1] - 1 if same else 0


def load() -> dict[str, Any]:
    """The models that a notebook asks for, each used once."""
    from llmlab import models

    ready = {}
    for name in READY:
        lm = ready[name] = models.load(name)
        lm.next_logits = quick = Quick(lm)
        quick(torch.tensor([lm.encode("once")]))
        quick.last = None
        assert lm.pieces
    return ready
