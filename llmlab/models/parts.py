"""A model taken apart: embedding, queries with keys and values, the rest of a layer, logits.

`Parts` computes everything of a Llama but attention, positions and cache, which are the student's. Every
step is that of `llmlab.models.llama`, on the same weights. It keeps nothing between calls but a count.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from llmlab.models.llama import Llama, rope_tables, rotate
from llmlab.models.lm import LM
from llmlab.models.loader import load


class Parts:
    """The parts of a shipped or local Llama.

    `model`: a name or path for `llmlab.models.load`, an LM, or a Llama. Facts: `n_layers`, `n_heads` (H query
    heads), `n_kv_heads` (K key-value heads), `head_dim` (d), `width` (D), `vocab_size` (V).
    `rows` counts the rows that went through `embed`: sequences times columns, since the last `rows = 0`.

    One layer is: q, k, v from `qkv`; then attention, which is yours; then `finish`. B sequences, T columns.
    Raises ValueError, naming the shape or the value, if an argument does not fit.

    >>> parts = Parts("draft")
    >>> x = parts.embed(torch.tensor([[5, 6, 7]]))
    >>> q, k, v = parts.qkv(0, x, torch.tensor([[0, 1, 2]]))
    >>> q.shape == (1, parts.n_heads, 3, parts.head_dim), k.shape == (1, parts.n_kv_heads, 3, parts.head_dim)
    (True, True)
    >>> parts.logits(parts.finish(0, x, q)).shape, parts.rows
    (torch.Size([1, 3, 2048]), 3)
    """

    def __init__(self, model: str | Path | LM | Llama = "target", dtype: torch.dtype = torch.float32) -> None:
        if isinstance(model, str | Path):
            model = load(model, dtype)
        inner = model.model if isinstance(model, LM) else model
        if not isinstance(inner, Llama):
            raise ValueError(f"only a Llama can be taken apart, got {type(inner).__name__}")
        self._model, config = inner, inner.config
        self.n_layers, self.n_heads = config.num_hidden_layers, config.num_attention_heads
        self.n_kv_heads, self.head_dim = config.num_key_value_heads, config.head_dim
        self.width, self.vocab_size = config.hidden_size, config.vocab_size
        self.rows = 0

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the weights: x, q, k, v and logits have it."""
        return self._model.lm_head.weight.dtype

    @torch.no_grad()
    def embed(self, ids: Tensor) -> Tensor:
        """x (B, T, D): the vectors of the tokens ids (B, T) int64."""
        if ids.ndim != 2 or 0 in ids.shape or ids.is_floating_point():
            raise ValueError(f"ids must be a tensor (B, T) of integers, got {ids.dtype} {tuple(ids.shape)}")
        if int(ids.min()) < 0 or int(ids.max()) >= self.vocab_size:
            low, high = int(ids.min()), int(ids.max())
            raise ValueError(f"ids must lie in 0..{self.vocab_size - 1}, got {low} to {high}")
        self.rows += ids.numel()
        return self._model.model.embed_tokens(ids)

    @torch.no_grad()
    def qkv(self, layer: int, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B, H, T, d), keys and values (B, K, T, d) of one layer; q and k turned by their positions.

        x: (B, T, D), the stream before the layer; positions: (B, T) integers from 0.
        """
        block, x = self._layer(layer), self._stream(x)
        if positions.shape != x.shape[:2] or positions.is_floating_point() or int(positions.min()) < 0:
            raise ValueError(f"positions must be integers of shape {tuple(x.shape[:2])} from 0 on, "
                             f"got {positions.dtype} of shape {tuple(positions.shape)}")
        config, attention, normal = self._model.config, block.self_attn, block.input_layernorm(x)
        q, k, v = (project(normal).unflatten(2, (-1, self.head_dim)).transpose(1, 2)
                   for project in (attention.q_proj, attention.k_proj, attention.v_proj))
        rope = [table.to(x.dtype) for table in rope_tables(positions, self.head_dim, config.rope_theta)]
        return rotate(q, *rope), rotate(k, *rope), v

    @torch.no_grad()
    def finish(self, layer: int, x: Tensor, attended: Tensor) -> Tensor:
        """The rest of a layer: output projection and MLP, each added to the stream. Returns x (B, T, D).

        x: the stream before the layer; attended: (B, H, T, d), what attention returned for its T queries.
        """
        block, x = self._layer(layer), self._stream(x)
        wanted = (x.shape[0], self.n_heads, x.shape[1], self.head_dim)
        if tuple(attended.shape) != wanted:
            raise ValueError(f"attended must have shape {wanted}, got {tuple(attended.shape)}")
        x = x + block.self_attn.o_proj(attended.to(x.dtype).transpose(1, 2).flatten(2))
        return x + block.mlp(block.post_attention_layernorm(x))

    @torch.no_grad()
    def logits(self, x: Tensor) -> Tensor:
        """Logits (B, T, V) of the stream after the last layer."""
        return self._model.lm_head(self._model.model.norm(self._stream(x)))

    def _layer(self, layer: int):
        if not 0 <= layer < self.n_layers:
            raise ValueError(f"there is no layer {layer}; there are 0..{self.n_layers - 1}")
        return self._model.model.layers[layer]

    def _stream(self, x: Tensor) -> Tensor:
        if x.ndim != 3 or x.shape[2] != self.width:
            raise ValueError(f"x must have shape (B, T, {self.width}), got {tuple(x.shape)}")
        return x.to(self.dtype)
