"""From documents to tokens, windows and losses."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from llmlab.models.train.tokenizer import BOS_ID, EOS_ID


def pack(tokenizer: Tokenizer, docs: Iterable[str]) -> Tensor:
    """All documents as one int64 row of ids: <bos> text <eos> <bos> text <eos> ..."""
    ids: list[int] = []
    for encoding in tokenizer.encode_batch(list(docs)):
        ids += [BOS_ID, *encoding.ids, EOS_ID]
    return torch.tensor(ids, dtype=torch.int64)


def windows(row: Tensor, batch: int, context: int, seed: int) -> tuple[Tensor, Tensor]:
    """Inputs and next tokens, each (batch, context), from random places of ``row``, by ``seed``."""
    generator = torch.Generator().manual_seed(seed)
    starts = torch.randint(len(row) - context, (batch,), generator=generator)
    taken = torch.stack([row[s : s + context + 1] for s in starts.tolist()])  # (batch, context + 1)
    return taken[:, :-1], taken[:, 1:]


@torch.no_grad()
def mean_loss(model: nn.Module, row: Tensor, context: int = 256, batch: int = 16) -> float:
    """Mean next-token loss in nats over non-overlapping windows of ``row``; the rest is left out."""
    count = (len(row) - 1) // context
    if count == 0:
        raise ValueError(f"{len(row)} tokens are too few for one window of {context}: give more text")
    total = 0.0
    for first in range(0, count, batch):
        starts = range(first * context, min(first + batch, count) * context, context)
        taken = torch.stack([row[s : s + context + 1] for s in starts])
        logits = model(taken[:, :-1]).float()
        total += F.cross_entropy(logits.flatten(0, 1), taken[:, 1:].flatten(), reduction="sum").item()
    return total / (count * context)
