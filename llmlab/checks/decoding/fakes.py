"""Small models whose every answer is known: what generate and beam_search are checked with.

Each looks at a row's real tokens only (mask 1), all of them and in order, so that a wrong mask, a lost token or a wrong
position changes the answer. It answers for the last column, as a language model does: where that is padding, the answer
is about nothing. No weights, no training.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence

import torch

from llmlab.checks.protocol import Model

Next = Callable[[tuple[int, ...]], torch.Tensor]
"""Logits (V,) of the token after these real tokens."""

MOST_CALLS, MOST_COLUMNS = 60, 200
"""Of one model in a case. Right code makes about ten calls; what calls without end is stopped early."""
MOST_QUESTIONS = 24
"""Whole questions kept by one model; a case asks about ten."""


def row_by_row(after: Next, vocab: int) -> Model:
    """The model that answers `after(real tokens)` for each row, and each answer about padding with another row's."""
    kept: dict[tuple[int, ...], torch.Tensor] = {}
    asked: dict[tuple, torch.Tensor] = {}  # whole questions: every right answer to a case asks the same ones

    def answer(ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        key = (ids.shape, ids.numpy().tobytes(), attention_mask.numpy().tobytes())
        if key not in asked:
            if len(asked) >= MOST_QUESTIONS:
                asked.clear()
            asked[key] = look_up(ids, attention_mask)
        return asked[key].clone()

    def look_up(ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        pairs, row_of = torch.stack((ids, attention_mask), dim=1).unique(dim=0, return_inverse=True)  # (U, 2, T), (B,)
        answers = []
        for tokens, real in pairs.tolist():
            context = tuple(token for token, one in zip(tokens, real, strict=True) if one)
            if not real[-1]:
                context = (*context, -1)
            if context not in kept:
                kept[context] = after(context)
            answers.append(kept[context])
        return torch.stack(answers)[row_of]

    return Model(answer, vocab, MOST_CALLS, MOST_COLUMNS)


def table(seed: int, vocab: int, scale: float = 2.0) -> Model:
    """Random logits (float32) for every context, the same each time the context comes up."""
    def after(context: tuple[int, ...]) -> torch.Tensor:
        key = zlib.crc32(repr((seed, context)).encode())
        return torch.randn(vocab, generator=torch.Generator().manual_seed(key)) * scale

    return row_by_row(after, vocab)


def fixed(laws: Mapping[int, torch.Tensor], vocab: int) -> Model:
    """Logits that depend on the last real token only."""
    return row_by_row(lambda context: laws[context[-1]] if context[-1] in laws else torch.zeros(vocab), vocab)


def stories(told: Sequence[tuple[list[int], list[int]]], vocab: int, lost: int = 0) -> Model:
    """Greedy tokens by heart: after each prompt its continuation, then, and off the path, the token `lost`."""
    def after(context: tuple[int, ...]) -> torch.Tensor:
        token = lost
        for prompt, text in told:
            new = len(context) - len(prompt)
            if 0 <= new < len(text) and [*prompt, *text[:new]] == list(context):
                token = text[new]
        return torch.nn.functional.one_hot(torch.tensor(token), vocab) * 4.0

    return row_by_row(after, vocab)


def logits_after(model: Model, tokens: Sequence[int]) -> list[float]:
    """The model's logits after one row of real tokens, as Python numbers."""
    ids = torch.tensor([list(tokens)])
    return model.fn(ids, torch.ones_like(ids))[0].double().tolist()
