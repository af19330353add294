"""A session for passes of a few tokens: weights laid out once for products with few rows, in float32 or bfloat16.

A matrix product has to bring its matrix into the order in which the processor reads it. Usually it does so in
every call, which costs more than the product when there are only a few rows. Here oneDNN does it once, when the
session is made. A pass of five tokens then costs what a pass of one token costs. Without oneDNN, or with
`layout="plain"`, the matrices stay as they are.

One sequence; what is prepared takes the model's memory once more, and does not follow the model when it changes.
`llmlab.models.session.Session` has the same methods for several sequences.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from llmlab.models.joined import joined
from llmlab.models.layouts import Packed, Plain, can_pack
from llmlab.models.llama import KVCache, Llama, rope_tables, rotate
from llmlab.models.lm import LM


def laid(weight: Tensor, layout: str) -> Packed | Plain:
    """The matrix in this layout, or as it is where it cannot be packed."""
    return Packed(weight) if layout == "packed" and can_pack(weight.dtype) else Plain(weight)


class FewTokens:
    """A Llama with the cache of one sequence, made for passes of 1 to about 16 tokens.

    `feed`, `lengths`, `truncate`, `passes` and `tokens` are those of `llmlab.models.session.Session`. `dtype` is that
    of weights, stream and cache; logits are float32. `layout`: "packed" or "plain".

    >>> from llmlab.models import load
    >>> session = FewTokens(load("draft"))
    >>> session.feed([[5, 6, 7]]).shape, session.lengths()
    (torch.Size([1, 3, 2048]), [3])
    >>> session.truncate([1])
    >>> session.feed([[9, 9]]).shape, session.passes, session.tokens
    (torch.Size([1, 2, 2048]), 2, 5)
    """

    @torch.no_grad()
    def __init__(self, model: LM | Llama, dtype: torch.dtype = torch.float32, layout: str = "packed") -> None:
        inner = model.model if isinstance(model, LM) else model
        if layout not in ("packed", "plain"):
            raise ValueError(f'layout is "packed" or "plain", not {layout!r}')
        config = inner.config
        self.config, self.dtype, self.vocab_size = config, dtype, config.vocab_size
        self.width, self.eps = (config.hidden_size,), config.rms_norm_eps
        layers, head = joined(inner)
        self.layers = [[laid(matrix.to(dtype), layout) for matrix in matrices] for matrices in layers]
        self.head = laid(head.to(dtype), layout)
        self.embedding = inner.model.embed_tokens.weight.detach().to(dtype)
        self.reset()

    def reset(self) -> None:
        """Forget the sequence and the counts."""
        self.cache = KVCache(self.config, 1, self.dtype)
        self.passes = self.tokens = 0

    def lengths(self) -> list[int]:
        """How many tokens are held."""
        return [self.cache.length]

    def truncate(self, lengths: Sequence[int]) -> None:
        """Keep the first lengths[0] tokens. Raises ValueError if fewer are held."""
        self.cache.truncate(lengths[0])

    @torch.inference_mode()
    def feed(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Logits (1, T, V) float32 after each token of rows[0]. Raises ValueError for several or empty rows."""
        if len(rows) != 1 or not rows[0]:
            raise ValueError(f"this session has one sequence and needs new tokens, got rows of {[*map(len, rows)]}")
        new, past, cache, config = len(rows[0]), self.cache.length, self.cache, self.config
        heads, kv, size = config.num_attention_heads, config.num_key_value_heads, config.head_dim
        where = torch.arange(past, past + new)
        tables = rope_tables(where[None], size, config.rope_theta)
        rope = tuple(table[0].to(self.dtype) for table in tables)  # (1, T, d)
        seen = None if new == 1 else torch.arange(past + new) <= where[:, None]  # (T, S)
        x = self.embedding[torch.tensor(rows[0])]  # (T, D)
        for index, (qkv, out, gate_up, down) in enumerate(self.layers):
            made = qkv(F.rms_norm(x, self.width, None, self.eps)).view(new, heads + 2 * kv, size).transpose(0, 1)
            turned = rotate(made[: heads + kv], *rope)  # (H + K, T, d)
            keys, values = cache.add(index, turned[None, heads:], made[None, heads + kv :])
            told = F.scaled_dot_product_attention(
                turned[None, :heads], keys, values, attn_mask=seen, scale=1.0, enable_gqa=True)
            x = x + out(told[0].transpose(0, 1).reshape(new, -1))
            gate, up = gate_up(F.rms_norm(x, self.width, None, self.eps)).chunk(2, 1)
            x = x + down(F.silu(gate) * up)
        cache.advance(torch.ones(1, new, dtype=torch.bool))
        self.passes, self.tokens = self.passes + 1, self.tokens + new
        return self.head(F.rms_norm(x, self.width, None, self.eps)).float()[None]
