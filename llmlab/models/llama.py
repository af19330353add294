"""A lean Llama: the whole forward pass in one file, on the weights and names of Hugging Face's
LlamaForCausalLM.

What it does: RMSNorm, rotary positions, grouped-query attention, SwiGLU, left padding, a key-value cache.
What it does not: training tricks, rope scaling, biases, sliding windows, more than one device.

Names in comments: B sequences, T new tokens, S tokens so far (cache and new), D width, H query heads, K
key-value heads, d width of a head, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class LlamaConfig:
    """The shape of a Llama, under the names of Hugging Face's ``config.json``."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    max_position_embeddings: int = 512
    tie_word_embeddings: bool = True


class KVCache:
    """Keys and values of the tokens seen so far, one tensor per layer for both, grown by doubling.

    ``length`` is the number of columns filled (pads included); ``mask`` (B, S) says which of them are real
    tokens, and ``padded`` whether there ever was one that is not.
    """

    def __init__(self, config: LlamaConfig, batch: int, dtype: torch.dtype, capacity: int = 64) -> None:
        self.heads = config.num_key_value_heads
        shape = (batch, 2 * self.heads, capacity, config.head_dim)  # keys, then values
        self.length, self.padded = 0, False
        self._mask = torch.zeros(batch, 0, dtype=torch.bool)
        self._store = [torch.empty(shape, dtype=dtype) for _ in range(config.num_hidden_layers)]

    @property
    def mask(self) -> Tensor:
        """(B, S) bool, true on real tokens. Columns that were added without a mask are real."""
        missing = self.length - self._mask.shape[1]
        if missing:
            self._mask = F.pad(self._mask, (0, missing), value=True)
        return self._mask

    @mask.setter
    def mask(self, real: Tensor) -> None:
        self._mask = real

    def _room(self, layer: int, end: int) -> Tensor:
        """The store of one layer, with space for `end` columns."""
        capacity = self._store[layer].shape[2]
        if end > capacity:
            self._store[layer] = F.pad(self._store[layer], (0, 0, 0, max(end, 2 * capacity) - capacity))
        return self._store[layer]

    def add(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append (B, K, T, d) keys and values of one layer; returns all of that layer's, (B, K, S, d)."""
        end = self.length + keys.shape[2]
        store = self._room(layer, end)
        store[:, : self.heads, self.length : end] = keys
        store[:, self.heads :, self.length : end] = values
        return store[:, : self.heads, :end], store[:, self.heads :, :end]

    def add_column(self, layer: int, both: Tensor) -> tuple[Tensor, Tensor]:
        """Append one column: (B, 2K, d), keys first. Returns all of that layer's keys and values, (B, K, S, d)."""
        store = self._room(layer, self.length + 1)
        store.select(2, self.length).copy_(both)
        keys, values = store.narrow(2, 0, self.length + 1).split_with_sizes((self.heads, self.heads), 1)
        return keys, values

    def advance(self, mask: Tensor | None = None) -> None:
        """Count the (B, T) new columns as stored, once every layer has them; without a mask, one real token each."""
        if mask is None:
            self.length += 1
            return
        self._mask = torch.cat([self.mask, mask], dim=1)
        self.length += mask.shape[1]
        self.padded = self.padded or not bool(mask.all())

    def truncate(self, length: int) -> None:
        """Forget every column from ``length`` on (speculative decoding takes rejected tokens back)."""
        if not 0 <= length <= self.length:
            raise ValueError(f"cannot cut a cache of {self.length} columns to {length}")
        self.length, self._mask = length, self._mask[:, :length]


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * gain, computed in float32 at least (Zhang and Sennrich, 2019)."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:  # (..., D) -> (..., D)
        wide = x if x.dtype == torch.float64 else x.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * (wide * scale).to(x.dtype)


def rope_tables(positions: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every position's angles, each (B, 1, T, d) float32 (Su et al., 2021).

    The two halves of a head are rotated against each other, as Hugging Face lays them out: pair i turns by
    position / theta^(2i/d).
    """
    frequencies = 1.0 / theta ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)  # (d/2,)
    angles = positions[:, None, :, None].float() * frequencies  # (B, 1, T, d/2)
    angles = torch.cat([angles, angles], dim=-1)  # (B, 1, T, d)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn (B, heads, T, d) queries or keys by their positions."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class Attention(nn.Module):
    """Causal grouped-query attention: H query heads share K key-value heads."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        width, size = config.hidden_size, config.head_dim
        self.heads, self.kv_heads, self.size = config.num_attention_heads, config.num_key_value_heads, size
        self.q_proj = nn.Linear(width, self.heads * size, bias=False)
        self.k_proj = nn.Linear(width, self.kv_heads * size, bias=False)
        self.v_proj = nn.Linear(width, self.kv_heads * size, bias=False)
        self.o_proj = nn.Linear(self.heads * size, width, bias=False)

    def forward(
        self,
        x: Tensor,
        rope: tuple[Tensor, Tensor],
        allowed: Tensor | None,
        cache: KVCache | None,
        layer: int,
    ) -> Tensor:
        batch, new, _ = x.shape  # (B, T, D)
        q = self.q_proj(x).view(batch, new, self.heads, self.size).transpose(1, 2)  # (B, H, T, d)
        k = self.k_proj(x).view(batch, new, self.kv_heads, self.size).transpose(1, 2)  # (B, K, T, d)
        v = self.v_proj(x).view(batch, new, self.kv_heads, self.size).transpose(1, 2)  # (B, K, T, d)
        q, k = rotate(q, *rope), rotate(k, *rope)
        if cache is not None:
            k, v = cache.add(layer, k, v)  # (B, K, S, d)
        shared = self.heads // self.kv_heads
        if shared > 1:
            k, v = k.repeat_interleave(shared, dim=1), v.repeat_interleave(shared, dim=1)  # (B, H, S, d)
        # allowed None: plain causal over new tokens, or one new token that may see everything
        out = F.scaled_dot_product_attention(
            q, k, v, attn_mask=allowed, is_causal=allowed is None and new > 1
        )
        return self.o_proj(out.transpose(1, 2).reshape(batch, new, self.heads * self.size))


class MLP(nn.Module):
    """SwiGLU: down(silu(gate(x)) * up(x)) (Shazeer, 2020)."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, D) -> (B, T, D)
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """Attention, then MLP, each on a normalised copy and added to the stream."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = MLP(config)

    def forward(
        self,
        x: Tensor,
        rope: tuple[Tensor, Tensor],
        allowed: Tensor | None,
        cache: KVCache | None,
        layer: int,
    ) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), rope, allowed, cache, layer)
        return x + self.mlp(self.post_attention_layernorm(x))


class Backbone(nn.Module):
    """Embedding, layers and last norm: the part Hugging Face calls ``model``."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Llama(nn.Module):
    """The whole model; ``state_dict`` has the names of ``LlamaForCausalLM``."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Backbone(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    def new_cache(self, batch: int) -> KVCache:
        """An empty cache for ``batch`` sequences."""
        return KVCache(self.config, batch, self.lm_head.weight.dtype)

    def forward(
        self,
        ids: Tensor,
        attention_mask: Tensor | None = None,
        cache: KVCache | None = None,
        last_only: bool = False,
    ) -> Tensor:
        """Logits (B, T, V) of (B, T) int64 ids; (B, 1, V) with ``last_only``.

        ``attention_mask`` (B, T): 1 for real tokens, 0 for pads. Positions count real tokens only, so
        padding on the left changes nothing. With a cache, ids and mask are those of the new tokens; the
        cache remembers the past.
        """
        real = (
            torch.ones_like(ids, dtype=torch.bool) if attention_mask is None else attention_mask.bool()
        )  # (B, T)
        past = cache.length if cache is not None else 0
        seen = real if past == 0 else torch.cat([cache.mask, real], dim=1)  # (B, S)
        new = ids.shape[1]
        positions = (seen.cumsum(1) - 1).clamp(min=0)[:, past:]  # (B, T)
        rope = rope_tables(positions, self.config.head_dim, self.config.rope_theta)
        if bool(seen.all()) and (past == 0 or new == 1):
            allowed = None  # nothing is masked beyond causality
        else:
            # query t (column past + t) sees real columns up to its own; always itself, so that no row is
            # empty
            columns = torch.arange(past + new)
            own = torch.arange(past, past + new)[:, None]  # (T, 1)
            allowed = ((columns <= own) & seen[:, None, :]) | (columns == own)  # (B, T, S)
            allowed = allowed[:, None]  # (B, 1, T, S)
        x = self.model.embed_tokens(ids)  # (B, T, D)
        rope = (rope[0].to(x.dtype), rope[1].to(x.dtype))
        for index, layer in enumerate(self.model.layers):
            x = layer(x, rope, allowed, cache, index)
        if cache is not None:
            cache.advance(real)
        return self.lm_head(self.model.norm(x[:, -1:] if last_only else x))  # (B, T, V)
