"""Decoding a token a step as fast as plain torch allows: the function of `Llama`, on weights prepared for it.

What makes a step fast, when there is little arithmetic in it, is to do few things. Weights are prepared once:
q, k and v in one matrix, gate and up in one, the norms' gains and the scale of attention multiplied in. They
are laid out for the rows that a step has (`layouts`). A step then is four products a layer. Values are turned
by an angle of zero along with queries and keys, so one write takes both to the cache. Query heads that share a
key-value head are rows of one product, so no head is copied. The prompt goes through `Llama`. What is prepared
takes the model's memory once or twice more, and does not follow the model when it changes.

The norm: x / sqrt(mean(x^2) + eps) is x sqrt(D) / hypot(|x|, sqrt(D eps)); sqrt(D) is in the weights too.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from llmlab.models.joined import joined
from llmlab.models.layouts import FEWEST, Packed, Transposed, lay_out
from llmlab.models.llama import KVCache, Llama
from llmlab.models.lm import LM


class Decoder:
    """A Llama for decoding with a cache of `Llama.new_cache`; left padding and truncation as there.

    >>> from llmlab.models import load
    >>> lm = load("draft")
    >>> Decoder(lm).generate(torch.tensor([lm.encode("Once upon a")]), 3).shape
    torch.Size([1, 3])
    """

    @torch.no_grad()
    def __init__(self, model: LM | Llama) -> None:
        self.model = model.model if isinstance(model, LM) else model
        config = self.model.config
        self.heads, self.kv_heads, self.size = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        )
        width = config.hidden_size
        self.least = torch.tensor(math.sqrt(width * config.rms_norm_eps))  # sqrt(D eps)
        self.layers, self.head = joined(self.model, gain=math.sqrt(width))
        self.laid: dict[bool, list[list[Transposed | Packed]]] = {}
        self.embedding = self.model.model.embed_tokens.weight.detach()
        self.theta = config.rope_theta
        self.tables = self.rope(512)

    def rope(self, length: int) -> tuple[Tensor, Tensor]:
        """Cosines, and sines with the signs of a rotation, of positions 0 to length - 1, each (length, H + 2K, d).

        Those of the values are 1 and 0.
        """
        exponents = torch.arange(0, self.size, 2, dtype=torch.float32) / self.size
        angles = torch.arange(length)[:, None] * (1.0 / self.theta**exponents)
        cos, sin = angles.cos(), angles.sin()
        turned = [torch.cat([cos, cos], 1), torch.cat([-sin, sin], 1)]  # (length, d)
        shape = (length, self.kv_heads, self.size)
        kept = [torch.ones(shape), torch.zeros(shape)]
        both = self.heads + self.kv_heads
        cos, sin = (
            torch.cat([table[:, None].expand(-1, both, -1), same], 1).to(self.embedding.dtype)
            for table, same in zip(turned, kept, strict=True)
        )
        return cos, sin

    def laid_out(self, rows: int) -> list[list[Transposed | Packed]]:
        """The matrices of each layer, then the output matrix alone, laid out for so many rows."""
        kind = rows >= FEWEST
        if kind not in self.laid:
            self.laid[kind] = [[lay_out(part, rows) for part in parts] for parts in (*self.layers, (self.head,))]
        return self.laid[kind]

    @torch.no_grad()
    def prefill(self, ids: Tensor, cache: KVCache, attention_mask: Tensor | None = None) -> Tensor:
        """Logits (B, V) after a prompt (B, T), which is in the cache afterwards."""
        return self.model(ids, attention_mask, cache, last_only=True)[:, -1]

    def unit(self, x: Tensor) -> Tensor:
        """Rows (B, D) divided by hypot(|x|, sqrt(D eps))."""
        return x / torch.hypot(torch.linalg.vector_norm(x, dim=1, keepdim=True), self.least)

    @torch.no_grad()
    def step(self, tokens: Tensor, cache: KVCache) -> Tensor:
        """Logits (B, V) after one more token (B,) of each sequence."""
        batch, length = len(tokens), cache.length
        if length >= len(self.tables[0]):
            self.tables = self.rope(2 * length)
        if cache.padded:
            places = cache.mask.sum(1)
            cos, sin = self.tables[0][places], self.tables[1][places]  # (B, H + 2K, d)
            seen = F.pad(cache.mask, (0, 1), value=True)[:, None, None]  # (B, 1, 1, S)
        else:
            cos, sin, seen = self.tables[0][length], self.tables[1][length], None  # (H + 2K, d)
        x = F.embedding(tokens, self.embedding)  # (B, D)
        *layers, (head,) = self.laid_out(batch)
        sizes, half = (self.heads, 2 * self.kv_heads), self.size // 2
        for index, (qkv, out, gate_up, down) in enumerate(layers):
            made = qkv(self.unit(x)).view(batch, -1, self.size)
            turned = torch.addcmul(made * cos, made.roll(half, -1), sin)  # q and k by their positions
            q, both = turned.split_with_sizes(sizes, 1)
            keys, values = cache.add_column(index, both)
            # (B, K, H/K, d): the query heads of a key-value head are the rows of one product
            q = q.view(batch, self.kv_heads, -1, self.size)
            told = F.scaled_dot_product_attention(q, keys, values, seen, scale=1.0)
            x = out.plus(told.view(batch, -1), x)
            gate, up = gate_up(self.unit(x)).chunk(2, 1)
            x = down.plus(F.silu(gate) * up, x)
        cache.advance()
        return head(self.unit(x))

    def generate(self, ids: Tensor, max_new_tokens: int, attention_mask: Tensor | None = None) -> Tensor:
        """The greedy continuation (B, max_new_tokens) of prompts (B, T) int64; no token ends it."""
        with torch.inference_mode():
            cache = self.model.new_cache(len(ids))
            new = [self.prefill(ids, cache, attention_mask).argmax(-1)]
            while len(new) < max_new_tokens:
                new.append(self.step(new[-1], cache).argmax(-1))
        return torch.stack(new, 1)
