"""A model together with the cache of its sequences: tokens in, logits out, and tokens taken back.

`Session` is what the loop of speculative decoding runs on. Sequences may have different lengths, and each
is cut to a length of its own: padding and holes in the cache are masked. It does not sample, and it is
not the fastest decoder (`llmlab.models.lean` is).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from llmlab.models.llama import Llama, rope_tables
from llmlab.models.lm import LM
from llmlab.models.loader import load


class Dice:
    """Uniform random numbers from a seed, for whoever asks.

    >>> Dice(7).uniform(2, 3).shape
    torch.Size([2, 3])
    """

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def uniform(self, rows: int, columns: int) -> Tensor:
        """(rows, columns) float64, from 0 to below 1, each its own."""
        return torch.rand(rows, columns, generator=self.generator, dtype=torch.float64)


class Session:
    """A Llama and its cache for `batch` sequences.

    `model`: a name or path for `llmlab.models.load`, an LM, or a Llama. Facts: `vocab_size`, `n_layers`.
    Counts since the last reset to 0: `passes` (calls of feed or embed) and `tokens` (tokens that went
    through them).

    >>> session = Session("draft", batch=2)
    >>> session.feed([[5, 6, 7], [8]]).shape, session.lengths()
    (torch.Size([2, 3, 2048]), [3, 1])
    >>> session.truncate([1, 1])
    >>> session.feed([[9], [9]]).shape, session.lengths(), session.passes
    (torch.Size([2, 1, 2048]), [2, 2], 2)
    """

    def __init__(
        self, model: str | Path | LM | Llama = "target", batch: int = 1, dtype: torch.dtype = torch.float32
    ) -> None:
        if isinstance(model, str | Path):
            model = load(model, dtype)
        inner = model.model if isinstance(model, LM) else model
        if not isinstance(inner, Llama):
            raise ValueError(f"a session needs a Llama, got {type(inner).__name__}")
        if batch < 1:
            raise ValueError(f"a session of {batch} sequences: give 1 or more")
        self._model, self._cache = inner, inner.new_cache(batch)
        self._pass: tuple | None = None  # what embed prepared for the layers: (mask, rope, allowed)
        self.vocab_size, self.n_layers = inner.config.vocab_size, inner.config.num_hidden_layers
        self.passes = self.tokens = 0

    @torch.no_grad()
    def feed(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Logits (B, T, V) after each new token. rows: B lists of at least one token; T is the longest's.

        Shorter rows stand at the right end: [:, -1] belongs to the last token of every row. Raises
        ValueError, naming what does not fit.
        """
        x = self.embed(rows)
        for index in range(self.n_layers):
            x = self.layer(index, x)
        return self.logits(x)

    def lengths(self) -> list[int]:
        """How many tokens of each sequence are held."""
        self._commit()
        return self._cache.mask.sum(1).tolist()

    def truncate(self, lengths: Sequence[int]) -> None:
        """Keep the first lengths[b] tokens of sequence b. Raises ValueError if one holds fewer."""
        held = self.lengths()
        if len(lengths) != len(held) or any(
            not 0 <= n <= have for n, have in zip(lengths, held, strict=True)
        ):
            raise ValueError(f"cannot cut sequences of {held} tokens to {list(lengths)}")
        cache = self._cache
        cache.mask = cache.mask & (cache.mask.long().cumsum(1) <= torch.tensor(lengths)[:, None])
        used = cache.mask.any(0).nonzero()
        cache.truncate(int(used[-1]) + 1 if len(used) else 0)
        cache.padded = not bool(cache.mask.all())

    @torch.no_grad()
    def embed(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """x (B, T, D): the vectors of new tokens, which every layer that is run will add to its cache."""
        self._commit()
        if not rows or not all(rows):
            raise ValueError(
                f"feed at least one token of each sequence, got rows of {[len(row) for row in rows]}"
            )
        past, size = self._cache.length, max(map(len, rows))
        if len(rows) != len(self._cache.mask):
            raise ValueError(f"this session has {len(self._cache.mask)} sequences, got {len(rows)} rows")
        ids = torch.tensor([[0] * (size - len(row)) + list(row) for row in rows])
        if int(ids.min()) < 0 or int(ids.max()) >= self.vocab_size:
            raise ValueError(
                f"token ids lie in 0..{self.vocab_size - 1}, got {int(ids.min())} to {int(ids.max())}"
            )
        real = torch.tensor([[False] * (size - len(row)) + [True] * len(row) for row in rows])
        seen = torch.cat([self._cache.mask, real], 1)  # (B, S)
        x, config = self._model.model.embed_tokens(ids), self._model.config
        where = (seen.long().cumsum(1) - 1).clamp(min=0)[:, past:]
        rope = tuple(table.to(x.dtype) for table in rope_tables(where, config.head_dim, config.rope_theta))
        allowed = None
        if not (bool(seen.all()) and (past == 0 or size == 1)):
            columns = torch.arange(past + size)
            own = columns[past:, None]  # (T, 1)
            allowed = (((columns <= own) & seen[:, None]) | (columns == own))[:, None]  # (B, 1, T, S)
        self._pass = real, rope, allowed
        self.passes, self.tokens = self.passes + 1, self.tokens + int(real.sum())
        return x

    @torch.no_grad()
    def layer(self, index: int, x: Tensor) -> Tensor:
        """One layer over the tokens of the last `embed`, with the past from its cache: x (B, T, D)."""
        if self._pass is None or not 0 <= index < self.n_layers:
            raise ValueError(f"call embed first, then layers 0 to {self.n_layers - 1}; got layer {index}")
        _, rope, allowed = self._pass
        return self._model.model.layers[index](x, rope, allowed, self._cache, index)

    @torch.no_grad()
    def logits(self, x: Tensor) -> Tensor:
        """Logits (B, T, V) of x after any layer, the model's last norm included."""
        return self._model.lm_head(self._model.model.norm(x))

    def _commit(self) -> None:
        """Count the tokens of the last pass as held."""
        if self._pass is not None:
            self._cache.advance(self._pass[0])
            self._pass = None
