"""Linear maps that keep packed weights, in the formats of the lab: grids of 2 to 8 bits, tables, GGUF blocks, floats.

Nothing is quantized here: codes and scales come from outside. What is here stores them in as few bytes as the format
has, makes numbers of them again, and multiplies: a few rows with torch's own kernels for 8 and 4 bits where this computer
has them, with the numbers made anew at every call elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

Product = Callable[[Tensor, Tensor], Tensor]
MOST_ROWS = 16
"""Rows up to which torch's kernels are used: each row costs them the same, so for many, weights made anew are faster."""
FLOATS = {"bf16": torch.bfloat16, "e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}
BLOCKS = ("q8_0", "q4_0", "q4_k")


def pack(codes: Tensor, bits: int) -> Tensor:
    """Codes of any sign, one behind the other, lowest bit first: uint8, as few bytes as they fill.

    >>> pack(torch.tensor([1, 2, -1], dtype=torch.int8), 4)  # 0x21, 0x0f, as pack_int4 of the lab has it
    tensor([33, 15], dtype=torch.uint8)
    """
    planes = (codes.reshape(-1, 1).int().numpy() >> np.arange(bits)) & 1
    return torch.from_numpy(np.packbits(planes.astype(np.uint8), bitorder="little"))


def unpack(packed: Tensor, bits: int, count: int, signed: bool) -> Tensor:
    """The first `count` codes in these bytes, int16.

    >>> unpack(torch.tensor([33, 15], dtype=torch.uint8), 4, 3, signed=True)
    tensor([ 1,  2, -1], dtype=torch.int16)
    """
    if 8 % bits == 0:  # no code reaches over two bytes
        whole = packed.to(torch.int16)
        parts = [whole >> bits * i & 2**bits - 1 for i in range(8 // bits)]
        codes = torch.stack(parts, -1).flatten()[:count]
    else:
        planes = np.unpackbits(packed.numpy(), bitorder="little", count=bits * count).reshape(-1, bits)
        codes = torch.from_numpy((planes.astype(np.int16) << np.arange(bits, dtype=np.int16)).sum(1, dtype=np.int16))
    return torch.where(codes >= 2 ** (bits - 1), codes - 2**bits, codes) if signed else codes


def gguf(name: str, blocks: Tensor) -> Tensor:
    """The numbers of GGUF blocks (n, bytes) uint8, float32: as ggml's `dequantize_row_*` make them.

    >>> gguf("q8_0", torch.tensor([[0, 60, 3, 255, *[0] * 30]], dtype=torch.uint8))[0, :3]  # d = 1
    tensor([ 3., -1.,  0.])
    """
    scale = blocks[:, :2].contiguous().view(torch.float16).float()
    if name == "q8_0":
        return blocks[:, 2:].contiguous().view(torch.int8) * scale
    if name == "q4_0":
        return (torch.cat([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], 1).float() - 8) * scale
    low = blocks[:, 2:4].contiguous().view(torch.float16).float()
    a, b, c = blocks[:, 4:16].int().reshape(-1, 3, 4).unbind(1)
    steps = torch.cat([a & 63, c & 15 | a >> 6 << 4], 1)
    floors = torch.cat([b & 63, c >> 4 | b >> 6 << 4], 1)
    pairs = blocks[:, 16:].int().reshape(-1, 4, 1, 32)
    codes = torch.cat([pairs & 15, pairs >> 4], 2).reshape(-1, 8, 32)
    return ((scale * steps)[..., None] * codes - (low * floors)[..., None]).flatten(1)


@lru_cache(maxsize=None)
def has_kernel(bits: int, group: int) -> bool:
    """Whether this torch multiplies float32 rows with 8-bit codes, or with 4-bit codes in groups: tried once.

    8 bits: a scale for each row, group 0.
    """
    generator = torch.Generator().manual_seed(0)
    x, codes = torch.randn(3, 256, generator=generator), torch.randint(-7, 8, (64, 256), generator=generator)
    scales = torch.rand(64, 256 // group if group else 1, generator=generator) + 0.5
    right = x @ (codes.view(64, scales.shape[1], -1) * scales[..., None]).view(64, 256).T
    try:
        made = _eight(x, codes.to(torch.int8), scales) if bits == 8 else _four(x, _laid_out(codes, scales), group)
    except (RuntimeError, AttributeError, NotImplementedError):
        return False
    return bool((made - right).abs().max() < 1e-3 * right.abs().max())


def _eight(x: Tensor, codes: Tensor, scales: Tensor) -> Tensor:
    return torch.ops.aten._weight_int8pack_mm(x, codes, scales[:, 0].contiguous())


def _laid_out(codes: Tensor, scales: Tensor) -> tuple[Tensor, Tensor]:
    """Codes -8..7 and scales (O, G) in the layout of torch's kernel, which reads (code - 8) * scale + zero."""
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu((codes + 8).int(), 1)
    return packed, torch.stack([scales.T, torch.zeros_like(scales.T)], -1).contiguous()


def _four(x: Tensor, laid_out: tuple[Tensor, Tensor], group: int) -> Tensor:
    return torch.ops.aten._weight_int4pack_mm_for_cpu(x, laid_out[0], group, laid_out[1])


class PackedLinear(nn.Module):
    """y = x W^T for a packed W (O, I).

    kind: "grid" (signed codes of `bits` bits times a scale for each group), "table" (codes of `bits` bits, the place
    in `table`), a name of `FLOATS` (a scale for the matrix), or of `BLOCKS`. The tensors that are kept are the buffers:
    "packed"; "scales", of as many groups as there are; for a table "table", which is the same everywhere and not
    counted; where scales are 8-bit codes themselves also "steps" and "offset"; where the groups are of columns in
    another order "order", the place of each. product: if given, computes product(x (N, I), W) in place of x W^T.
    """

    def __init__(self, kind: str, shape: tuple[int, int], kept: dict[str, Tensor], bits: int = 0) -> None:
        super().__init__()
        self.kind, self.shape, self.bits = kind, tuple(shape), bits
        self.product: Product | None = None
        self.kernels = True
        for name, tensor in kept.items():
            self.register_buffer(name, tensor)
        self._ready: tuple | None = None

    def stored(self) -> dict[str, Tensor]:
        """Every tensor that is kept."""
        return dict(self.named_buffers())

    def bits_per_weight(self) -> float:
        """8 times the bytes that are kept, for each weight; a table that all matrices share is left out."""
        kept = sum(t.numel() * t.element_size() for name, t in self.stored().items() if name != "table")
        return 8 * kept / math.prod(self.shape)

    def _scales(self) -> Tensor:
        """(G, 1) float32."""
        kept = self.stored()
        scales = kept["scales"].float().reshape(-1, 1)
        if "steps" in kept:
            scales = (scales.view(len(kept["steps"]), -1) * kept["steps"].view(-1, 1)).view(-1, 1) + kept["offset"]
        return scales

    def _codes(self) -> Tensor:
        return unpack(self.packed, self.bits, math.prod(self.shape), self.kind == "grid")

    def weight(self) -> Tensor:
        """W (O, I), made anew, float32."""
        if self.kind in BLOCKS:
            return gguf(self.kind, self.packed).reshape(self.shape)
        if self.kind in FLOATS:
            scale = self.stored().get("scales", torch.tensor(1.0))
            return self.packed.float().reshape(self.shape) * scale
        codes, scales = self._codes(), self._scales()
        numbers = codes.float() if self.kind == "grid" else self.table[codes.int()]
        made = (numbers.view(len(scales), -1) * scales).view(self.shape)
        return made[:, self.order.long()] if hasattr(self, "order") else made

    def kernel(self) -> str:
        """Which product is used: "int8", "int4", or "" where the weights are made anew."""
        if self.kind != "grid" or not self.kernels or hasattr(self, "order"):
            return ""
        groups = len(self._scales()) / self.shape[0]
        if self.bits == 8 and groups <= 1:
            return "int8" if has_kernel(8, 0) else ""
        group = self.shape[1] // max(1, int(groups))
        fits = self.bits == 4 and groups >= 1 and group in (32, 64, 128, 256)
        return "int4" if fits and self.shape[0] % 16 == 0 and has_kernel(4, group) else ""

    def _prepared(self) -> tuple:
        """What the kernel reads, laid out at the first call."""
        if self._ready is None:
            name = self.kernel()
            codes = self._codes().view(self.shape) if name else None
            scales = self._scales().expand(self.shape[0], 1) if name == "int8" else None
            if name == "int4":
                scales = self._scales().view(self.shape[0], -1)
                self._ready = name, _laid_out(codes, scales), self.shape[1] // scales.shape[1]
            else:
                self._ready = (name, codes.to(torch.int8), scales) if name else ("",)
        return self._ready

    def forward(self, x: Tensor) -> Tensor:  # (..., I) -> (..., O)
        rows = x.reshape(-1, self.shape[1])
        few = len(rows) <= MOST_ROWS and rows.dtype == torch.float32 and self.product is None
        name, *given = self._prepared() if few else ("",)
        if name:
            made = (_eight if name == "int8" else _four)(rows.contiguous(), *given)
        elif self.product is not None:
            made = self.product(rows, self.weight())
        else:
            made = F.linear(rows, self.weight().to(rows.dtype))
        return made.view(*x.shape[:-1], self.shape[0])
