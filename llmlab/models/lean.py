"""Decoding a token a step as fast as plain torch allows: the function of `Llama`, on weights prepared for it.

What makes a step fast, when there is little arithmetic in it, is to do few things. Weights are prepared once:
q, k and v in one matrix, gate and up in one, the norms' gains and the scale of attention multiplied in. They
are transposed, unless several rows meet large matrices. A step then is four products a layer. Query heads that
share a key-value head are rows of one product, so no head is copied. The prompt goes through `Llama`. What is
prepared takes the model's memory once or twice more, and does not follow the model when it changes.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from llmlab.models.llama import KVCache, Llama
from llmlab.models.lm import LM

LARGE = 512
"""Width from which a product with several rows is faster on the matrix as the model has it."""


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
        self.width, self.eps = (config.hidden_size,), config.rms_norm_eps
        self.layers = []
        for layer in self.model.model.layers:
            attention, mlp = layer.self_attn, layer.mlp
            query = attention.q_proj.weight / math.sqrt(self.size)
            qkv = (
                torch.cat([query, attention.k_proj.weight, attention.v_proj.weight])
                * layer.input_layernorm.weight
            )
            gate_up = (
                torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]) * layer.post_attention_layernorm.weight
            )
            parts = (qkv, attention.o_proj.weight, gate_up, mlp.down_proj.weight)
            self.layers.append(tuple(part.t() for part in parts))
        self.head = (self.model.lm_head.weight * self.model.model.norm.weight).t()
        self.transposed: list[tuple[Tensor, ...]] = []
        self.embedding = self.model.model.embed_tokens.weight.detach()
        self.theta = config.rope_theta
        self.tables = self.rope(512)

    def rope(self, length: int) -> tuple[Tensor, Tensor]:
        """Cosines, and sines with the signs of a rotation, of positions 0 to length - 1, each (length, d)."""
        exponents = torch.arange(0, self.size, 2, dtype=torch.float32) / self.size
        angles = torch.arange(length)[:, None] * (1.0 / self.theta**exponents)
        cos, sin, dtype = angles.cos(), angles.sin(), self.embedding.dtype
        return torch.cat([cos, cos], 1).to(dtype), torch.cat([-sin, sin], 1).to(dtype)

    def laid_out(self, rows: int) -> list[tuple[Tensor, ...]]:
        """The matrices of each layer, then the output matrix alone, laid out for so many rows."""
        if rows > 1 and self.width[0] >= LARGE:
            return [*self.layers, (self.head,)]
        if not self.transposed:
            every = [*self.layers, (self.head,)]
            self.transposed = [tuple(part.contiguous() for part in parts) for parts in every]
        return self.transposed

    @torch.no_grad()
    def prefill(self, ids: Tensor, cache: KVCache, attention_mask: Tensor | None = None) -> Tensor:
        """Logits (B, V) after a prompt (B, T), which is in the cache afterwards."""
        return self.model(ids, attention_mask, cache, last_only=True)[:, -1]

    @torch.no_grad()
    def step(self, tokens: Tensor, cache: KVCache) -> Tensor:
        """Logits (B, V) after one more token (B,) of each sequence."""
        batch, real = len(tokens), torch.ones(len(tokens), 1, dtype=torch.bool)
        if cache.length >= len(self.tables[0]):
            self.tables = self.rope(2 * cache.length)
        if cache.padded:
            places = cache.mask.sum(1)
            cos, sin = self.tables[0][places, None], self.tables[1][places, None]  # (B, 1, d)
            seen = torch.cat([cache.mask, real], 1)[:, None, None]  # (B, 1, 1, S)
        else:
            (cos, sin), seen = (table[cache.length] for table in self.tables), None  # (d,)
        x = self.embedding[tokens]  # (B, D)
        *layers, (head,) = self.laid_out(batch)
        both, half = self.heads + self.kv_heads, self.size // 2
        for index, (qkv, out, gate_up, down) in enumerate(layers):
            made = torch.mm(F.rms_norm(x, self.width, None, self.eps), qkv).view(
                batch, both + self.kv_heads, self.size
            )
            turned = made[:, :both]
            turned = torch.addcmul(turned * cos, turned.roll(half, -1), sin)  # q and k by their positions
            keys, values = cache.add(index, turned[:, self.heads :, None], made[:, both:, None])
            # (B, K, H/K, d): the query heads of a key-value head are the rows of one product
            q = turned[:, : self.heads].view(batch, self.kv_heads, -1, self.size)
            told = F.scaled_dot_product_attention(q, keys, values, attn_mask=seen, scale=1.0)
            x = torch.addmm(x, told.reshape(batch, -1), out)
            gate, up = torch.mm(F.rms_norm(x, self.width, None, self.eps), gate_up).chunk(2, 1)
            x = torch.addmm(x, F.silu(gate) * up, down)
        cache.advance(real)
        return torch.mm(F.rms_norm(x, self.width, None, self.eps), head)

    def generate(self, ids: Tensor, max_new_tokens: int, attention_mask: Tensor | None = None) -> Tensor:
        """The greedy continuation (B, max_new_tokens) of prompts (B, T) int64; no token ends it."""
        with torch.inference_mode():
            cache = self.model.new_cache(len(ids))
            new = [self.prefill(ids, cache, attention_mask).argmax(-1)]
            while len(new) < max_new_tokens:
                new.append(self.step(new[-1], cache).argmax(-1))
        return torch.stack(new, 1)
