"""Quantization: fewer bits for each number. Grids, packing, number formats, blocks of GGUF files, a packed layer.

Nothing here looks at data that flow through a model; that is the business of `calibration`.

A *code* is a small integer, a *scale* the step of its grid: code * scale is near x. The numbers of a *group* share a
scale. `by` says what a group is: "tensor", all numbers; "channel", a row, x[i]; or an integer g, each g neighbours in a
row; ValueError, naming g, if it does not divide C. x is (R, C) float; scales are (G, 1) float32, the G groups in the
order of x, and 1 for a group of zeros. round() goes to the nearest integer, ties to even, unless said otherwise.
"""

from __future__ import annotations

from statistics import NormalDist

import torch
from torch import Tensor


### BEGIN SOLUTION
def _rows(x: Tensor, by: str | int) -> Tensor:
    """x as float32 with a group in each row."""
    size = x.numel() if by == "tensor" else x.shape[-1] if by == "channel" else by
    if by != "tensor" and x.shape[-1] % size:
        raise ValueError(f"rows of {x.shape[-1]} numbers are not made of whole groups of {size}")
    return x.float().reshape(-1, size)


def _or_one(scales: Tensor) -> Tensor:
    return torch.where(scales == 0, 1.0, scales)


def _bytes(x: Tensor, kind: torch.dtype) -> Tensor:
    return x.to(kind).contiguous().view(torch.uint8)
### END SOLUTION


def symmetric(x: Tensor, bits: int, by: str | int, clip: float = 1.0) -> tuple[Tensor, Tensor]:
    """Codes on a grid with 0 in the middle: code = round(x / scale), cut to -m..m, m = 2^(bits-1) - 1.

    scale = clip * absmax / m; absmax is the largest |x| of the group. The code -m - 1 is not used. With clip < 1 the
    largest numbers are cut off, and the others get a finer grid.
    bits: 2..8; 0 < clip <= 1. Returns codes int8 like x, and scales.
    Source: Nagel et al. 2021, "A White Paper on Neural Network Quantization", section 2.2.

    >>> symmetric(torch.tensor([[0.5, -7.0, 3.4, 1.5]]), 4, "channel")
    (tensor([[ 0, -7,  3,  2]], dtype=torch.int8), tensor([[1.]]))
    """
    ### BEGIN SOLUTION
    rows, most = _rows(x, by), 2 ** (bits - 1) - 1
    scales = _or_one(clip * rows.abs().amax(1, keepdim=True) / most)
    codes = (rows / scales).round().clamp(-most, most)
    return codes.to(torch.int8).reshape(x.shape), scales
    ### END SOLUTION


def affine(x: Tensor, bits: int, by: str | int) -> tuple[Tensor, Tensor, Tensor]:
    """Codes on a grid from low to high that has 0 on it: code = round(x / scale) + z, cut to 0..M, M = 2^bits - 1.

    low = min(0, smallest), high = max(0, largest) of the group; scale = (high - low) / M; z = round(-low / scale).
    bits: 2..8. Returns codes uint8 like x, scales, and zeros, the zero points z, (G, 1) uint8.
    Source: Jacob et al. 2018, "Quantization and Training of Neural Networks", section 2.1.

    >>> affine(torch.tensor([[-1.0, 0.0, 1.0, 2.0]]), 2, "channel")
    (tensor([[0, 1, 2, 3]], dtype=torch.uint8), tensor([[1.]]), tensor([[1]], dtype=torch.uint8))
    """
    ### BEGIN SOLUTION
    rows, most = _rows(x, by), 2**bits - 1
    low = rows.amin(1, keepdim=True).clamp(max=0)
    scales = _or_one((rows.amax(1, keepdim=True).clamp(min=0) - low) / most)
    zeros = (-low / scales).round()
    codes = ((rows / scales).round() + zeros).clamp(0, most)
    return codes.to(torch.uint8).reshape(x.shape), scales, zeros.to(torch.uint8)
    ### END SOLUTION


def dequantize(codes: Tensor, scales: Tensor, zeros: Tensor | None = None) -> Tensor:
    """Back to numbers: (code - zero) * scale, float32, like codes (R, C). The groups follow from the number of scales.

    >>> dequantize(torch.tensor([[0, 3, 3, 0]], dtype=torch.uint8), torch.tensor([[2.0], [10.0]]),
    ...            torch.tensor([[1], [3]], dtype=torch.uint8))
    tensor([[ -2.,   4.,   0., -30.]])
    """
    ### BEGIN SOLUTION
    rows = codes.float().reshape(scales.shape[0], -1)
    return ((rows if zeros is None else rows - zeros.float()) * scales).reshape(codes.shape)
    ### END SOLUTION


def pack_int4(codes: Tensor) -> Tensor:
    """Two codes in a byte: the first in the low four bits, the second in the high four, as two's complement.

    An odd row is filled up with a 0. codes: (R, C) int8, -8..7; others: ValueError, naming one. Returns uint8.

    >>> pack_int4(torch.tensor([[1, 2, -1]], dtype=torch.int8))  # 0x21, 0x0f
    tensor([[33, 15]], dtype=torch.uint8)
    """
    ### BEGIN SOLUTION
    outside = codes[(codes < -8) | (codes > 7)]
    if outside.numel():
        raise ValueError(f"four bits hold -8..7, not {int(outside[0])}")
    nibbles = torch.nn.functional.pad(codes.int() & 15, (0, codes.shape[-1] % 2))
    return (nibbles[..., 0::2] | nibbles[..., 1::2] << 4).to(torch.uint8)
    ### END SOLUTION


def unpack_int4(packed: Tensor, columns: int) -> Tensor:
    """The codes (R, columns) int8 that pack_int4 packed into these bytes.

    >>> unpack_int4(torch.tensor([[33, 15]], dtype=torch.uint8), 3)
    tensor([[ 1,  2, -1]], dtype=torch.int8)
    """
    ### BEGIN SOLUTION
    nibbles = torch.stack([packed.int() & 15, packed.int() >> 4], -1).flatten(-2)[..., :columns]
    return (nibbles - 16 * (nibbles > 7)).to(torch.int8)
    ### END SOLUTION


def decode_float(codes: Tensor, exponent_bits: int, mantissa_bits: int, infinities: bool = True) -> Tensor:
    """The numbers of bit patterns: from the top a sign bit s, the exponent e, the mantissa m; f = m / 2^mantissa_bits.

    (-1)^s * 2^(e - bias) * (1 + f) with bias = 2^(exponent_bits - 1) - 1; where e = 0, (-1)^s * 2^(1 - bias) * f
    (*subnormal*). The largest e means infinity if m = 0 and nan if not. In a format without infinities only the
    pattern with all ones in e and m is nan; the others with the largest e are ordinary numbers.

    codes: int64. Exponent and mantissa bits: fp16 5, 10; bf16 8, 7; fp8 E5M2 5, 2; E4M3 4, 3, without infinities.
    Returns float32 like codes. Source: Micikevicius et al. 2022, "FP8 Formats for Deep Learning".

    >>> decode_float(torch.tensor([0x3C00, 0xC000, 0x0001, 0x7C00]), 5, 10)
    tensor([ 1.0000e+00, -2.0000e+00,  5.9605e-08,         inf])
    """
    ### BEGIN SOLUTION
    top, full = 2**exponent_bits - 1, 2**mantissa_bits
    mantissa, exponent = codes % full, codes // full % (top + 1)
    sign = 1.0 - 2.0 * (codes // full // (top + 1) % 2).double()
    part = mantissa.double() / full + (exponent > 0)
    value = sign * part * torch.exp2(exponent.clamp(min=1).double() - top // 2)
    if infinities:
        value = torch.where((exponent == top) & (mantissa == 0), sign * torch.inf, value)
    nan = mantissa > 0 if infinities else mantissa == full - 1
    return torch.where((exponent == top) & nan, torch.nan, value).float()
    ### END SOLUTION


def round_float(x: Tensor, exponent_bits: int, mantissa_bits: int, largest: float) -> Tensor:
    """The nearest numbers of a small float format, ties to the even mantissa; beyond `largest` it is +-largest.

    Neighbours are 2^(e - mantissa_bits) apart where 2^e <= |x| < 2^(e+1), and never less than where e = 1 - bias.
    x: float32; largest: 448 for E4M3, 57344 for E5M2. Infinity becomes +-largest too; nan stays. Returns float32.

    >>> round_float(torch.tensor([1.0625, 1.07, 1000.0, 0.001]), 4, 3, 448.0)
    tensor([1.0000e+00, 1.1250e+00, 4.4800e+02, 1.9531e-03])
    """
    ### BEGIN SOLUTION
    x = x.double().clamp(-largest, largest)
    exponents = (torch.frexp(x).exponent - 1).clamp(min=2 - 2 ** (exponent_bits - 1))
    steps = torch.exp2(exponents.double() - mantissa_bits)
    return ((x / steps).round() * steps).float()
    ### END SOLUTION


def nf4_table() -> Tensor:
    """The 16 values of NF4, ascending, float32: quantiles of the normal distribution, with an exact 0, in -1..1.

    Positive: the quantiles of 8 probabilities, evenly spaced from p down to, but without, 1/2. Negative: minus those of
    7 such. p = 1 - (1/30 + 1/32) / 2. All divided by the largest. Source: Dettmers et al. 2023, "QLoRA".

    >>> nf4_table()[[0, 6, 7, 8, 15]]
    tensor([-1.0000, -0.0910,  0.0000,  0.0796,  1.0000])
    """
    ### BEGIN SOLUTION
    p, normal = 1 - (1 / 30 + 1 / 32) / 2, NormalDist()
    above, below = ([normal.inv_cdf(p + (0.5 - p) * i / n) for i in range(n)] for n in (8, 7))
    return torch.tensor([q / above[0] for q in [-q for q in below] + [0.0] + above[::-1]])
    ### END SOLUTION


def table_codes(x: Tensor, table: Tensor, by: str | int) -> tuple[Tensor, Tensor]:
    """The code of the table's nearest value for each x / scale, scale = absmax: x is near table[code] * scale.

    table: (V,) ascending, -1 to 1, V <= 256. A tie goes to the smaller code. Returns codes uint8 like x, and scales.

    >>> table_codes(torch.tensor([[2.0, -0.3, 0.9, 1.1]]), torch.tensor([-1.0, 0.0, 0.5, 1.0]), "channel")
    (tensor([[3, 1, 2, 2]], dtype=torch.uint8), tensor([[2.]]))
    """
    ### BEGIN SOLUTION
    rows = _rows(x, by)
    scales = _or_one(rows.abs().amax(1, keepdim=True))
    codes = ((rows / scales)[..., None] - table).abs().argmin(-1)
    return codes.to(torch.uint8).reshape(x.shape), scales
    ### END SOLUTION


def double_quantize(scales: Tensor, block: int) -> tuple[Tensor, Tensor, Tensor]:
    """Quantize scales (G, 1): their mean off, then `symmetric` with 8 bits and a step for each `block` of them.

    Scales are positive; with the mean off they use both halves of the grid. codes * steps + offset is near scales.
    Returns codes (G, 1) int8, steps (G / block, 1), offset () = the mean. Source: QLoRA, where codes are 8-bit floats.

    >>> double_quantize(torch.tensor([[0.0], [1.0], [2.0], [1.0]]) * 127, 2)[0].flatten().tolist()
    [-127, 0, 127, 0]
    """
    ### BEGIN SOLUTION
    offset = scales.mean()
    codes, steps = symmetric((scales - offset).reshape(1, -1), 8, block)
    return codes.reshape(-1, 1), steps, offset
    ### END SOLUTION


def q8_0(x: Tensor) -> Tensor:
    """GGUF's Q8_0: each 32 numbers as 34 bytes, a float16 scale d, low byte first, and 32 codes int8.

    d = absmax / 127; code = round(x * (1 / d)), ties away from 0; 0 if d = 0. All in float32; then d becomes float16.
    x: float32, a multiple of 32 numbers. Returns (n, 34) uint8. Source: ggml-quants.c, `quantize_row_q8_0_ref`.

    >>> q8_0(torch.arange(-15.0, 17.0) * 127 / 16)[0, [0, 1, 2, 33]]  # d = 1 is 0x3c00; -119.06; 127
    tensor([  0,  60, 137, 127], dtype=torch.uint8)
    """
    ### BEGIN SOLUTION
    rows = x.float().reshape(-1, 32)
    d = rows.abs().amax(1, keepdim=True) / 127
    scaled = rows * torch.where(d == 0, 0.0, 1 / d)
    codes = scaled.trunc() + scaled.sign() * (scaled.frac().abs() >= 0.5)
    return torch.cat([_bytes(d, torch.float16), _bytes(codes, torch.int8)], 1)
    ### END SOLUTION


def q4_0(x: Tensor) -> Tensor:
    """GGUF's Q4_0: each 32 numbers as 18 bytes, a float16 scale d and 32 codes of 4 bits; x is near (code - 8) * d.

    d = x' / -8, where x' is the number with the largest |x|, sign included, the first of equals. So x' gets the code 0.
    code = floor(x * (1 / d) + 8.5), at most 15; 8 if d = 0. Byte i holds code i (low bits) and code i + 16 (high bits).
    x: float32, a multiple of 32 numbers. Returns (n, 18) uint8. Source: ggml-quants.c, `quantize_row_q4_0_ref`.

    >>> q4_0(torch.arange(-15.0, 17.0) / 2)[0, [0, 1, 2, 17]]  # d = -1 is 0xbc00; -7.5 and 0.5; 0.0 and 8.0
    tensor([  0, 188, 143,   8], dtype=torch.uint8)
    """
    ### BEGIN SOLUTION
    rows = x.float().reshape(-1, 32)
    d = rows.gather(1, rows.abs().argmax(1, keepdim=True)) / -8
    codes = (rows * torch.where(d == 0, 0.0, 1 / d) + 8.5).floor().clamp(max=15).int()
    return torch.cat([_bytes(d, torch.float16), _bytes(codes[:, :16] | codes[:, 16:] << 4, torch.uint8)], 1)
    ### END SOLUTION


def q4_k(x: Tensor) -> Tensor:
    """GGUF's Q4_K: each 256 numbers as 144 bytes, in eight parts of 32; x is near d * scale * code - dmin * min.

    A part has low = min(0, smallest) and step = (largest - low) / 15. d = largest step / 63, dmin = largest -low / 63,
    both rounded to float16; scale = round(step / d), min = round(-low / dmin), at most 63; code =
    round((x + dmin * min) / (d * scale)), cut to 0..15. Where a divisor is 0, so is the result.
    Bytes: d, dmin; 4 scale[j] | scale[j+4] >> 4 << 6; 4 like them of min; 4 scale[j+4] & 15 | (min[j+4] & 15) << 4;
    4 * 32 codes, i of part 2p in the low, i of part 2p + 1 in the high bits. (llama.cpp searches for better scales.)
    x: float32, a multiple of 256 numbers. Returns (n, 144) uint8. Source: ggml-quants.c, `get_scale_min_k4`.

    >>> q4_k(torch.arange(256) % 16 * 63.0)[0, [0, 1, 2, 4, 12, 16, 17]]  # d = 1 (0x3c00), scales 63; codes 0, 1
    tensor([  0,  60,   0, 255,  15,   0,  17], dtype=torch.uint8)
    """
    ### BEGIN SOLUTION
    parts = x.float().reshape(-1, 8, 32)
    low = parts.amin(2).clamp(max=0)
    given = [(parts.amax(2) - low) / 15, -low]  # steps and minima, (n, 8)
    units = [v.amax(1, keepdim=True).div(63).half().float() for v in given]  # d and dmin, (n, 1)
    s, m = ((v / _or_one(unit)).round().clamp(max=63) * (unit > 0) for v, unit in zip(given, units, strict=True))
    grid = (units[0] * s)[..., None]
    codes = ((parts + (units[1] * m)[..., None]) / _or_one(grid) * (grid > 0)).round().clamp(0, 15)
    pairs, s, m = codes.int().reshape(-1, 4, 2, 32), s.int(), m.int()
    rest = [v[:, :4] | v[:, 4:] >> 4 << 6 for v in (s, m)] + [s[:, 4:] & 15 | (m[:, 4:] & 15) << 4]
    rest.append((pairs[:, :, 0] | pairs[:, :, 1] << 4).flatten(1))
    return torch.cat([_bytes(v, torch.float16) for v in units] + [_bytes(v, torch.uint8) for v in rest], 1)
    ### END SOLUTION


def from_q4_k(blocks: Tensor) -> Tensor:
    """The numbers of Q4_K blocks (n, 144) uint8, laid out as above: (n, 256) float32.

    >>> from_q4_k(q4_k(torch.arange(256) % 16 * 63.0))[0, 30:34]
    tensor([882., 945.,   0.,  63.])
    """
    ### BEGIN SOLUTION
    d, dmin = blocks[:, :4].contiguous().view(torch.float16).float().split(1, 1)  # (n, 1)
    low, mid, high = blocks[:, 4:16].int().reshape(-1, 3, 4).unbind(1)
    s, m = torch.cat([low & 63, high & 15 | low >> 6 << 4], 1), torch.cat([mid & 63, high >> 4 | mid >> 6 << 4], 1)
    pairs = blocks[:, 16:].int().reshape(-1, 4, 1, 32)
    codes = torch.cat([pairs & 15, pairs >> 4], 2).reshape(-1, 8, 32)
    return ((d * s)[..., None] * codes - (dmin * m)[..., None]).flatten(1)
    ### END SOLUTION


def quantize_kv(keys: Tensor, values: Tensor, bits: int = 8) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A KV cache on symmetric grids: a scale for each channel of the keys, and for each token of the values.

    Some channels of the keys are large in every token; with a scale for each token they would coarsen all the others.
    keys, values: (B, K, S, d). Returns key codes int8 and scales (B, K, 1, d), value codes and scales (B, K, S, 1).
    Source: Liu et al. 2024, "KIVI". A group of zeros has the scale 1.

    >>> [x.shape for x in quantize_kv(torch.ones(1, 2, 5, 4), torch.ones(1, 2, 5, 4))[1::2]]
    [torch.Size([1, 2, 1, 4]), torch.Size([1, 2, 5, 1])]
    """
    ### BEGIN SOLUTION
    most, out = 2 ** (bits - 1) - 1, []
    for x, dim in ((keys, 2), (values, 3)):
        scales = _or_one(x.float().abs().amax(dim, keepdim=True) / most)
        out += [(x / scales).round().to(torch.int8), scales]
    return tuple(out)
    ### END SOLUTION


class QuantizedLinear:
    """A linear map, y = x W^T + bias, that keeps W (out, in) as packed 4-bit codes, with groups along the inputs.

    Codes: `symmetric`, packed by `pack_int4`. Scales: then rounded to float16, (out, in / group). bias: (out,) or None.

    >>> layer = QuantizedLinear(torch.tensor([[7.0, -3.0], [14.0, 6.0]]), torch.tensor([1.0, 2.0]), group=2)
    >>> layer.forward(torch.tensor([[1.0, 1.0]])), layer.stored()["packed"].tolist()
    (tensor([[ 5., 22.]]), [[215], [55]])
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None, group: int = 32) -> None:
        ### BEGIN SOLUTION
        codes, scales = symmetric(weight, 4, group)
        self._kept = {"packed": pack_int4(codes), "scales": scales.half().reshape(len(weight), -1)}
        self._kept |= {} if bias is None else {"bias": bias.clone()}
        self._columns = weight.shape[1]
        ### END SOLUTION

    def stored(self) -> dict[str, Tensor]:
        """Every tensor that the layer keeps: "packed" (out, ceil(in / 2)) uint8, "scales", and "bias" if it has one."""
        ### BEGIN SOLUTION
        return dict(self._kept)
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., in) float. Returns (..., out) in x's dtype. The weights are made anew at every call."""
        ### BEGIN SOLUTION
        codes = unpack_int4(self._kept["packed"], self._columns)
        weight = dequantize(codes, self._kept["scales"].float().reshape(-1, 1)).to(x.dtype)
        bias = self._kept.get("bias")
        return torch.nn.functional.linear(x, weight, None if bias is None else bias.to(x.dtype))
        ### END SOLUTION


def bits_per_weight(bits: float, group: int, scale_bits: float, zero_bits: float = 0, block: int = 0) -> float:
    """Bits for each weight, with its share of the group's scale and zero point (or minimum).

    block: if not 0, the `scale_bits` are codes, and each `block` of them has a float32 step of its own.

    >>> bits_per_weight(8, 32, 16), round(bits_per_weight(4, 64, 8, block=256), 3)  # Q8_0; NF4, double quantization
    (8.5, 4.127)
    """
    ### BEGIN SOLUTION
    return bits + (scale_bits + zero_bits + (32 / block if block else 0)) / group
    ### END SOLUTION
