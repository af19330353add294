"""A tiny Llama with random weights, in plain code: the trusted model that student code runs in parts.

`Tiny.whole` is the oracle: one sequence at a time, all of it, no cache, no padding, float64. `Parts` is what
a `Remote` serves: the same weights in float32, every argument validated, because it comes from a student.
`TrustedCache` is a cache that concatenates; what a student appends to it is seen by the judge.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from llmlab.checks.protocol import Remote

THETA = 100.0  # turns fast enough that a position off by one is seen by every pair
MOST_ROWS, MOST_POSITION = 512, 4_096
EPS = 1e-5


class Tiny:
    """Weights, drawn from a seed: (heads, key-value heads, head width, layers, vocabulary)."""

    def __init__(
        self,
        seed: int,
        heads: int = 4,
        kv_heads: int = 2,
        head_dim: int = 6,
        layers: int = 2,
        vocab: int = 31,
    ):
        self.heads, self.kv_heads, self.head_dim, self.layers, self.vocab = (
            heads,
            kv_heads,
            head_dim,
            layers,
            vocab,
        )
        self.width = 36  # not heads * head_dim, so that a scale by the wrong width is another number
        generator = torch.Generator().manual_seed(seed)

        def matrix(rows: int, columns: int) -> Tensor:
            return torch.randn(rows, columns, generator=generator, dtype=torch.float64) / math.sqrt(rows)

        self.embedding = matrix(vocab, self.width) * math.sqrt(vocab)
        self.blocks = [
            {
                "q": matrix(self.width, heads * head_dim) * 2,
                "k": matrix(self.width, kv_heads * head_dim) * 2,
                "v": matrix(self.width, kv_heads * head_dim),
                "o": matrix(heads * head_dim, self.width),
                "gate": matrix(self.width, 24),
                "up": matrix(self.width, 24),
                "down": matrix(24, self.width),
            }
            for _ in range(layers)
        ]
        self.head = matrix(self.width, vocab) * 3

    @cached_property
    def narrow(self) -> Tiny:
        """The same weights in float32."""
        made = object.__new__(Tiny)
        made.__dict__.update(self.__dict__)
        made.embedding, made.head = self.embedding.float(), self.head.float()
        made.blocks = [{name: weight.float() for name, weight in block.items()} for block in self.blocks]
        return made

    def split(self, x: Tensor, heads: int) -> Tensor:
        """(..., T, heads * d) -> (..., heads, T, d)."""
        return x.unflatten(-1, (heads, self.head_dim)).transpose(-2, -3)

    def qkv(self, layer: int, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys, values of x (..., T, D), the first two turned by positions (..., T)."""
        block, normal = self.blocks[layer], norm(x)
        q, k, v = (
            self.split(normal @ block[name], heads)
            for name, heads in (("q", self.heads), ("k", self.kv_heads), ("v", self.kv_heads))
        )
        return turn(q, positions), turn(k, positions), v

    def finish(self, layer: int, x: Tensor, attended: Tensor) -> Tensor:
        """The rest of a layer: output projection and MLP, each added to the stream."""
        block = self.blocks[layer]
        x = x + attended.transpose(-2, -3).flatten(-2) @ block["o"]
        normal = norm(x)
        return x + (torch.nn.functional.silu(normal @ block["gate"]) * (normal @ block["up"])) @ block["down"]

    def logits(self, x: Tensor) -> Tensor:
        return norm(x) @ self.head

    def whole(self, ids: Sequence[int], window: int | None = None) -> Tensor:
        """x (T, D) after the last layer for one unpadded sequence, float64: the definition, without any "
        "cache."""
        where = torch.arange(len(ids))
        sees = torch.tensor(
            [
                [j <= i and (window is None or j > i - window) for j in range(len(ids))]
                for i in range(len(ids))
            ]
        )
        x = self.embedding[torch.tensor(ids)]
        for layer in range(self.layers):
            q, k, v = self.qkv(layer, x, where)
            heads = []
            for head in range(self.heads):
                shared = head // (self.heads // self.kv_heads)
                scores = (q[head] @ k[shared].T) / self.head_dim**0.5
                heads.append(torch.where(sees, scores, -torch.inf).softmax(-1) @ v[shared])
            x = self.finish(layer, x, torch.stack(heads))
        return x

    def remote(self, max_calls: int = 2_000) -> Remote:
        """The model as students get it."""
        facts = {
            "n_layers": self.layers,
            "n_heads": self.heads,
            "n_kv_heads": self.kv_heads,
            "head_dim": self.head_dim,
        }
        return Remote(
            "model", lambda: Parts(self.narrow), ("embed", "qkv", "finish", "logits"), facts, max_calls
        )


def norm(x: Tensor) -> Tensor:
    """RMSNorm without a gain."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPS)


def turn(x: Tensor, positions: Tensor) -> Tensor:
    """Rotary positions: (..., heads, T, d) by (..., T), halves against each other."""
    half = x.shape[-1] // 2
    angles = (
        positions.unsqueeze(-1).double() * THETA ** (-torch.arange(half) / half).double()
    )  # (..., T, d/2)
    angles = angles.unsqueeze(-3)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def wanted(value, shape: tuple[int | None, ...], what: str, whole: bool = False) -> Tensor:
    """`value` if it is a tensor of this shape (None: any, but small). Raises ValueError that says what "
    "came instead."""
    if not isinstance(value, Tensor):
        raise ValueError(f"{what} must be a tensor, got {type(value).__name__}")
    fits = value.dim() == len(shape) and all(
        want in (None, got) for want, got in zip(shape, value.shape, strict=True)
    )
    if not fits or value.shape[0] * value.shape[-2 if len(shape) > 2 else 1] > MOST_ROWS:
        named = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(
            f"{what} must have shape ({named}), at most {MOST_ROWS} rows in all, got {tuple(value.shape)}"
        )
    if whole is value.dtype.is_floating_point or value.dtype in (
        torch.bool,
        torch.complex64,
        torch.complex128,
    ):
        raise ValueError(
            f"{what} must be {'integers' if whole else 'floating-point numbers'}, got {value.dtype}"
        )
    return value.long() if whole else value.float()


class Parts:
    """The parts of a tiny model with every argument looked at."""

    def __init__(self, tiny: Tiny):
        self.tiny = tiny

    def layer(self, number) -> int:
        if type(number) is not int or not 0 <= number < self.tiny.layers:
            raise ValueError(f"there is no layer {str(number)[:40]}; there are 0..{self.tiny.layers - 1}")
        return number

    def embed(self, ids: Tensor) -> Tensor:
        ids = wanted(ids, (None, None), "ids", whole=True)
        if 0 in ids.shape or int(ids.min()) < 0 or int(ids.max()) >= self.tiny.vocab:
            raise ValueError(
                f"ids must lie in 0..{self.tiny.vocab - 1}, at least one, got shape {tuple(ids.shape)}"
            )
        return self.tiny.embedding[ids]

    def qkv(self, layer: int, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = wanted(x, (None, None, self.tiny.width), "x")
        positions = wanted(positions, (x.shape[0], x.shape[1]), "positions", whole=True)
        if positions.numel() and not 0 <= int(positions.min()) <= int(positions.max()) < MOST_POSITION:
            raise ValueError(
                f"positions must lie in 0..{MOST_POSITION - 1}, got "
                f"{int(positions.min())}..{int(positions.max())}"
            )
        return self.tiny.qkv(self.layer(layer), x, positions)

    def finish(self, layer: int, x: Tensor, attended: Tensor) -> Tensor:
        x = wanted(x, (None, None, self.tiny.width), "x")
        shape = (x.shape[0], self.tiny.heads, x.shape[1], self.tiny.head_dim)
        return self.tiny.finish(self.layer(layer), x, wanted(attended, shape, "attended"))

    def logits(self, x: Tensor) -> Tensor:
        return self.tiny.logits(wanted(x, (None, None, self.tiny.width), "x"))


class TrustedCache:
    """A cache that never fails: `append` and `length` as in the contract. `cuts` maps a length to the one it
    is cut to.

    The cut happens when the last layer reached that length, as if the caller had taken tokens back between
    two calls.
    """

    def __init__(self, layers: int, cuts: dict[int, int] | None = None):
        self.kept: list[tuple[Tensor, Tensor] | None] = [None] * layers
        self.cuts = dict(cuts or {})

    def length(self, layer: int = 0) -> int:
        if type(layer) is not int or not 0 <= layer < len(self.kept):
            raise ValueError(f"there is no layer {str(layer)[:40]} in a cache of {len(self.kept)} layers")
        pair = self.kept[layer]
        return 0 if pair is None else pair[0].shape[2]

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        past = self.length(layer)
        keys = wanted(keys, (None, None, None, None), "keys")
        values = wanted(values, tuple(keys.shape), "values")
        if past + keys.shape[2] > MOST_ROWS or keys[0, :, 0].numel() > MOST_ROWS:
            raise ValueError(
                f"keys of shape {tuple(keys.shape)} after {past} tokens are more than this cache takes"
            )
        old = self.kept[layer]
        if old is not None:
            if old[0][:, :, 0].shape != keys[:, :, 0].shape:
                raise ValueError(
                    f"keys of shape {tuple(keys.shape)} do not fit the earlier ones, {tuple(old[0].shape)}"
                )
            keys, values = torch.cat([old[0], keys], 2), torch.cat([old[1], values], 2)
        self.kept[layer] = keys, values
        if layer == len(self.kept) - 1 and self.length(layer) in self.cuts:
            left = self.cuts.pop(self.length(layer))
            self.kept = [
                None if pair is None else (pair[0][:, :, :left], pair[1][:, :, :left]) for pair in self.kept
            ]
        return keys, values


def trusted_cache(tiny: Tiny, cuts: dict[int, int] | None = None) -> Remote:
    """A trusted cache for this model, as students get it."""
    return Remote("cache", lambda: TrustedCache(tiny.layers, cuts), ("append", "length"), {}, 2_000)
