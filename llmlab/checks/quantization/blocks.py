"""Checks of q8_0 and q4_0, to the byte. The oracle packs numbers with `struct`, in float32 as the C source does."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

import torch
from torch import Tensor

from llmlab.checks.protocol import Call, Case, Task
from llmlab.checks.quantization.kit import Made, Mistake, Parts, clear, drawn, judge, single

__all__ = ["TASKS", "cases", "judge"]

EIGHT, FOUR = "quantization.q8_0", "quantization.q4_0"
BLOCKS, EDGES = "blocks", "ties and zeros"
LARGEST, LAYOUT = "the largest number and its sign", "layout and zeros"
TASKS = (
    Task(EIGHT, "lab6", "write Q8_0 blocks as GGUF files have them", {BLOCKS: 1, EDGES: 1},
         "part4/quantization.html#sec-gguf"),
    Task(FOUR, "lab6", "write Q4_0 blocks as GGUF files have them", {LARGEST: 1, LAYOUT: 1},
         "part4/quantization.html#sec-gguf"),
)


def blocks_of(x: Tensor) -> list[list[float]]:
    flat = x.reshape(-1).tolist()
    return [flat[i:i + 32] for i in range(0, len(flat), 32)]


def as_bytes(rows: list[bytes]) -> Tensor:
    return torch.tensor([list(row) for row in rows], dtype=torch.uint8)


def q8_by_hand(x: Tensor) -> Tensor:
    """The oracle."""
    made = []
    for block in blocks_of(x):
        d = single(max(map(abs, block)) / 127)
        inverse = single(1 / d) if d else 0.0
        codes = []
        for value in block:
            scaled = single(value * inverse)
            codes.append(int(math.copysign(math.floor(abs(scaled) + 0.5), scaled)))
        made.append(struct.pack("<e32b", d, *codes))
    return as_bytes(made)


def q4_by_hand(x: Tensor) -> Tensor:
    """The oracle."""
    made = []
    for block in blocks_of(x):
        largest = next(value for value in block if abs(value) == max(map(abs, block)))
        d = single(largest / -8)
        inverse = single(1 / d) if d else 0.0
        codes = [min(15, math.floor(single(single(value * inverse) + 8.5))) for value in block]
        made.append(struct.pack("<e16B", d, *(codes[i] + 16 * codes[i + 16] for i in range(16))))
    return as_bytes(made)


def head(d: Tensor, kind: torch.dtype = torch.float16, big: bool = False) -> Tensor:
    """The bytes of the scales (n, 1)."""
    raw = d.to(kind).contiguous().view(torch.uint8)
    return raw.flip(1) if big else raw


def away(v: Tensor) -> Tensor:
    return v.sign() * (v.abs() + 0.5).floor()


def odd_eight(x: Tensor, *, divisor: float = 127.0, kind: torch.dtype = torch.float16, big: bool = False,
              lift: int = 0,
              integer: Callable[[Tensor], Tensor] = away, early: bool = False, last: bool = False) -> Made:
    """q8_0 with one thing done differently. early: the codes are made with the float16 scale."""
    rows = x.reshape(-1, 32)
    d = rows.abs().amax(1, keepdim=True) / divisor
    step = d.half().float() if early else d
    codes = integer(rows / torch.where(step == 0, 1.0, step)).clamp(-127, 127) + lift
    parts = [head(d, kind, big), (codes.long() % 256).to(torch.uint8)]
    return [torch.cat(parts[::-1] if last else parts, 1)]


def eight_case(group: str, x: Tensor) -> Case:
    wrong: list[Mistake] = [
        ("scale-in-float32", lambda: odd_eight(x, kind=torch.float32),
         "The scale takes four bytes, so a block takes 36. It is a float16: 34."),
        ("scale-in-bfloat16", lambda: odd_eight(x, kind=torch.bfloat16), "The scale is a bfloat16. It is a float16."),
        ("high-byte-first", lambda: odd_eight(x, big=True), "The scale's high byte came first; the low one does."),
        ("scale-absmax-over-128", lambda: odd_eight(x, divisor=128.0), "absmax was divided by 128; here it is 127."),
        ("codes-from-the-float16-scale", lambda: odd_eight(x, early=True),
         "The codes were made with the float16 scale. The format makes them first, with the float32 one."),
        ("ties-to-even", lambda: odd_eight(x, integer=torch.round),
         "Ties went to the even code. C's roundf, which this format was defined with, rounds them away from 0."),
        ("truncates", lambda: odd_eight(x, integer=torch.trunc), "The fraction was cut off; round to the nearest."),
        ("codes-moved-by-128", lambda: odd_eight(x, lift=128), "128 was added to the codes; they are signed."),
        ("scale-after-the-codes", lambda: odd_eight(x, last=True), "The scale comes before the codes."),
    ]
    return Case(EIGHT, group, (Call("q8_0", (x,)),), Parts({"the bytes": q8_by_hand(x)}, wrong))


def odd_four(x: Tensor, *, scale: Callable[[Tensor, Tensor], Tensor] = lambda big, size: big / -8,
             kind: torch.dtype = torch.float16,
             integer: Callable[[Tensor], Tensor] = lambda v: (v + 8.5).floor(), swapped: bool = False,
             near: bool = False,
             cut: bool = True, empty: int = 8) -> Made:
    """q4_0 with one thing done differently. near: neighbours share a byte."""
    rows = x.reshape(-1, 32)
    size = rows.abs().amax(1, keepdim=True)
    d = scale(rows.gather(1, rows.abs().argmax(1, keepdim=True)), size)
    codes = integer(rows / torch.where(d == 0, 1.0, d))
    codes = torch.where(d == 0, float(empty), codes.clamp(0, 15) if cut else codes).long()
    low, high = (codes[:, 0::2], codes[:, 1::2]) if near else (codes[:, :16], codes[:, 16:])
    low, high = (high, low) if swapped else (low, high)
    return [torch.cat([head(d, kind), ((low | high << 4) % 256).to(torch.uint8)], 1)]


def four_case(group: str, x: Tensor) -> Case:
    wrong: list[Mistake] = [
        ("q4-0-scale-sign", lambda: odd_four(x, scale=lambda big, size: size / 8),
         "d was made of the absolute value. It is (the number with the largest |x|) / -8, so d can be negative: "
         "that number gets -8, which has no +8 beside it."),
        ("q4-0-scale-sign", lambda: odd_four(x, scale=lambda big, size: size / -8),
         "d was made of the absolute value, and is always negative. Take the number with its sign, over -8."),
        ("q4-0-scale-sign", lambda: odd_four(x, scale=lambda big, size: big / 8),
         "d is the number with the largest |x| over +8, so that number should get the code 16, which four bits do "
         "not hold. Divide by -8: it gets the code 0."),
        ("scale-absmax-over-7", lambda: odd_four(x, scale=lambda big, size: size / 7),
         "This is absmax / 7, the symmetric grid. Q4_0 uses the code for -8, too: d = (the number with the largest "
         "|x|) / -8."),
        ("neighbours-share-a-byte", lambda: odd_four(x, near=True),
         "Codes 2i and 2i + 1 share a byte. Here codes i and i + 16 do."),
        ("nibbles-swapped", lambda: odd_four(x, swapped=True),
         "Code i should be in the low bits, code i + 16 in the high ones."),
        ("no-clamp", lambda: odd_four(x, cut=False),
         "A code of 16 was not cut to 15, and spills into its neighbour."),
        ("truncates", lambda: odd_four(x, integer=lambda v: (v + 8).floor()),
         "8 was added and the rest cut off. Add 8.5: that rounds to the nearest."),
        ("scale-in-float32", lambda: odd_four(x, kind=torch.float32),
         "The scale takes four bytes; it is a float16: a block has 18."),
        ("codes-of-zeros", lambda: odd_four(x, empty=0),
         "In a block of zeros the codes are 0. They should be 8, which stands for 0."),
    ]
    return Case(FOUR, group, (Call("q4_0", (x,)),), Parts({"the bytes": q4_by_hand(x)}, wrong))


def weights(generator: torch.Generator, blocks: int, divisor: float, sign: float = 0.0) -> Tensor:
    """Blocks clear of ties; sign: that of each block's largest number, 0 for either."""
    x = drawn(generator, blocks, 32)
    at = x.abs().argmax(1, keepdim=True)
    if sign:
        x = x.scatter(1, at, x.gather(1, at).abs() * sign)
    return clear(x, "channel", x.gather(1, at).abs() / divisor)


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(65_000 + seed)
    eight_ties = torch.arange(-16.0, 16.0)[None] + 0.5
    eight_ties[0, 7] = 127.0
    four_ties = torch.arange(-16.0, 16.0)[None] / 4
    four_ties[0, 3] = 8.0
    between = (torch.arange(32) * 3 + 0.47) * 1.00046  # d is 1.00046, as float16 it is 1: the codes tell which was used
    between[2] = 127 * 1.00046
    both = weights(generator, 2, 8.0)
    both[0, 5], both[0, 20] = both[0].abs().max() * 1.25, both[0].abs().max() * -1.25  # two of the same size
    both[1] = 0
    return [
        eight_case(BLOCKS, weights(generator, 1, 127.0)),
        eight_case(BLOCKS, weights(generator, 3, 127.0).reshape(2, 48)),
        eight_case(EDGES, torch.cat([eight_ties, torch.zeros(1, 32), between[None]])),
        four_case(LARGEST, weights(generator, 2, 8.0, 1.0)), four_case(LARGEST, weights(generator, 2, 8.0, -1.0)),
        four_case(LAYOUT, weights(generator, 3, 8.0)), four_case(LAYOUT, torch.cat([four_ties, clear_zero(both)])),
    ]


def clear_zero(x: Tensor) -> Tensor:
    """clear for blocks of which some are all zeros."""
    return clear(x, "channel", torch.where(x.abs().amax(1, keepdim=True) == 0, 1.0,
                                           x.abs().amax(1, keepdim=True) / 8))
