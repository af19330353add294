"""LM: a language model with its tokenizer, behind one small interface.

The lean Llama and models wrapped through transformers look the same from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from llmlab.models.tokens import pieces


class LM:
    """A model and its tokenizer.

    Attributes: ``name``; ``config`` (LlamaConfig, or the transformers config of a wrapped model); ``model``
    (nn.Module); ``tokenizer`` (tokenizers.Tokenizer); ``vocab_size``; ``bos_id``, ``eos_id``, ``pad_id``
    (int, -1 where the model has no such token; ``pad_id`` then is 0).

    >>> from llmlab.models import load
    >>> lm = load("draft")
    >>> lm.decode(lm.encode("47 + 38"))
    '47 + 38'
    >>> lm.next_logits(torch.tensor([lm.encode("Once upon a")])).shape
    torch.Size([1, 2048])
    """

    def __init__(
        self,
        name: str,
        model: nn.Module,
        config: Any,
        tokenizer: Tokenizer,
        vocab_size: int,
        special_ids: dict[str, int],
    ) -> None:
        self.name, self.model, self.config, self.tokenizer = name, model.eval(), config, tokenizer
        self.vocab_size = vocab_size
        self.bos_id, self.eos_id = special_ids.get("bos", -1), special_ids.get("eos", -1)
        self.pad_id = special_ids.get("pad", max(self.eos_id, 0))
        tokenizer.encode_special_tokens = True  # "<|eos|>" typed in a text is text

    def __repr__(self) -> str:
        count = sum(p.numel() for p in self.model.parameters())
        return f"LM({self.name!r}, {count / 1e6:.2f} M parameters, vocabulary {self.vocab_size})"

    def encode(self, text: str) -> list[int]:
        """Token ids of ``text``; no special token is added."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids; special tokens are left out, half a character becomes U+FFFD."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)

    @cached_property
    def pieces(self) -> list[bytes]:
        """The bytes of every token id, ``vocab_size`` of them; b"" for special tokens."""
        return pieces(self.tokenizer, self.vocab_size)

    def new_cache(self, batch: int = 1) -> Any:
        """An empty key-value cache for ``batch`` sequences; hand it to ``logits`` again and again.

        It has ``length`` (columns stored) and ``truncate(length)``.
        """
        if batch < 1:
            raise ValueError(f"a cache for {batch} sequences: give 1 or more")
        return self.model.new_cache(batch)

    @torch.no_grad()
    def logits(self, ids: Tensor, attention_mask: Tensor | None = None, cache: Any = None) -> Tensor:
        """Logits (B, T, V) after each of the (B, T) int64 ``ids``.

        ``attention_mask`` (B, T): 1 for real tokens, 0 for padding. Positions count real tokens, so left
        padding changes nothing. With a ``cache``, ``ids`` and mask are the new tokens only, and the cache
        grows by them.

        Raises ValueError if ``ids`` is not (B, T) with T >= 1, or the mask has another shape.
        """
        _check(ids, attention_mask)
        return self.model(ids, attention_mask, cache)

    @torch.no_grad()
    def next_logits(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Logits (B, V) for the token after the last column of (B, T) ``ids``; raises like ``logits``."""
        _check(ids, attention_mask)
        return self.model(ids, attention_mask, None, last_only=True)[:, -1]


def _check(ids: Tensor, mask: Tensor | None) -> None:
    if ids.ndim != 2 or ids.shape[1] == 0:
        raise ValueError(
            f"ids has shape {tuple(ids.shape)}; needed is (sequences, tokens) with at least one token: "
            "for one prompt, torch.tensor([lm.encode(text)])"
        )
    if mask is not None and mask.shape != ids.shape:
        raise ValueError(
            f"attention_mask has shape {tuple(mask.shape)} and ids {tuple(ids.shape)}: make them equal "
            "(with a cache, both are the new tokens only)"
        )
