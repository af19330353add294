"""Checks of q4_k and from_q4_k. The oracle writes a byte as a text of eight digits, as ggml's comment draws it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from llmlab.checks.protocol import Call, Case, Task
from llmlab.checks.quantization.kit import Made, Mistake, Parts, half, judge, single

__all__ = ["TASKS", "cases", "judge"]

WRITE, READ = "quantization.q4_k", "quantization.from_q4_k"
FIELDS, EDGES, NUMBERS = "scales, minima and codes", "one sign and zeros", "the numbers"
TASKS = (
    Task(WRITE, "lab6", "write Q4_K blocks, whose scales are quantized themselves", {FIELDS: 2, EDGES: 1},
         "part4/quantization.html#sec-q4-k"),
    Task(READ, "lab6", "read Q4_K blocks", {NUMBERS: 1}, "part4/quantization.html#sec-q4-k"),
)


@dataclass(frozen=True)
class Block:
    """What 144 bytes hold: two float16 numbers, eight scales and eight minima of six bits, 8 * 32 codes."""

    d: float
    dmin: float
    scales: list[int]
    mins: list[int]
    codes: list[list[int]]


def nearest(value: float, most: int) -> int:
    """Round, ties to even, cut to 0..most."""
    return min(max(round(value), 0), most)


def block_of(numbers: list[float]) -> Block:
    """The oracle of the quantizing rule for 256 numbers."""
    parts = [numbers[i:i + 32] for i in range(0, 256, 32)]
    lows = [min(0.0, *part) for part in parts]
    steps = [(max(part) - low) / 15 for part, low in zip(parts, lows, strict=True)]
    d, dmin = half(max(steps) / 63), half(max(-low for low in lows) / 63)
    scales = [nearest(step / d, 63) if d else 0 for step in steps]
    mins = [nearest(-low / dmin, 63) if dmin else 0 for low in lows]
    codes = [[nearest((x + dmin * m) / (d * s), 15) if d * s else 0 for x in part]
             for part, s, m in zip(parts, scales, mins, strict=True)]
    return Block(d, dmin, scales, mins, codes)


def six(value: int) -> str:
    return f"{value:06b}"


def packed_scales(block: Block) -> list[int]:
    """Twelve bytes: EEAAAAAA, then the same of the minima, then mmmmssss (ggml-quants.c)."""
    s, m = block.scales, block.mins
    digits = [six(s[j + 4])[:2] + six(s[j]) for j in range(4)] + [six(m[j + 4])[:2] + six(m[j]) for j in range(4)]
    digits += [six(m[j + 4])[2:] + six(s[j + 4])[2:] for j in range(4)]
    return [int(one, 2) for one in digits]


def one_after_the_other(block: Block) -> list[int]:
    """The wrong layout: six bits after six bits."""
    text = "".join(map(six, block.scales + block.mins))
    return [int(text[i:i + 8], 2) for i in range(0, 96, 8)]


def write(block: Block, scales: Callable[[Block], list[int]] = packed_scales, swapped: bool = False,
          layout: str = "parts") -> bytes:
    """The 144 bytes. layout: which codes share a byte, of two "parts", "neighbours", or two "halves" of a part."""
    body: list[int] = []
    flat = [code for part in block.codes for code in part]
    for start in range(0, 256, 64):
        for i in range(32):
            pair = {"parts": (start + i, start + 32 + i), "neighbours": (start + 2 * i, start + 2 * i + 1),
                    "halves": (start + i % 16 + i // 16 * 32, start + i % 16 + i // 16 * 32 + 16)}[layout]
            low, high = pair[::-1] if swapped else pair
            body.append(flat[low] + 16 * flat[high])
    return struct.pack("<ee12B128B", block.d, block.dmin, *scales(block), *body)


def read(raw: list[int], *, sign: int = -1, high: bool = True, swapped: bool = False, layout: str = "parts",
         same: bool = False) -> list[float]:
    """The 256 numbers of 144 bytes, and what they are with one thing done differently."""
    d, dmin = struct.unpack("<ee", bytes(raw[:4]))
    digits = [f"{byte:08b}" for byte in raw[4:16]]
    top = [text[:2] if high else "00" for text in digits[:8]]
    s = [int(text[2:], 2) for text in digits[:4]] + [int(top[j] + digits[8 + j][4:], 2) for j in range(4)]
    m = [int(text[2:], 2) for text in digits[4:8]] + [int(top[4 + j] + digits[8 + j][:4], 2) for j in range(4)]
    codes = [0] * 256
    for i, byte in enumerate(raw[16:]):
        part, place = divmod(i, 32)
        first, second = ((64 * part + place, 64 * part + 32 + place) if layout == "parts" else (2 * i, 2 * i + 1))
        first, second = (second, first) if swapped else (first, second)
        codes[first], codes[second] = byte % 16, byte // 16
    if same:
        s, m = s[:4] * 2, m[:4] * 2
    return [single(d * s[i // 32] * code + sign * dmin * m[i // 32]) for i, code in enumerate(codes)]


def table(rows: list[bytes]) -> Tensor:
    return torch.tensor([list(row) for row in rows], dtype=torch.uint8)


def recoded(numbers: list[float], block: Block, codes: Callable[[float, int], float]) -> Block:
    """The block with other codes: codes(x, part) before rounding."""
    made = [[nearest(codes(x, p), 15) for x in numbers[32 * p:32 * p + 32]] for p in range(8)]
    return replace(block, codes=made)


def exact_steps(numbers: list[float], block: Block) -> Block:
    """The codes made with the steps and minima before they were quantized."""
    parts = [numbers[i:i + 32] for i in range(0, 256, 32)]
    lows = [min(0.0, *part) for part in parts]
    steps = [(max(part) - low) / 15 or 1.0 for part, low in zip(parts, lows, strict=True)]
    return recoded(numbers, block, lambda x, p: (x - lows[p]) / steps[p])


def positive_min(numbers: list[float], block: Block) -> Block:
    """The minimum taken off instead of added before the division."""
    return recoded(numbers, block, lambda x, p: (x - block.dmin * block.mins[p]) / (block.d * block.scales[p] or 1.0))


def without_zero(numbers: list[float]) -> Block:
    """low may be above 0, and is cut to 0 only when it is stored."""
    parts = [numbers[i:i + 32] for i in range(0, 256, 32)]
    steps = [(max(part) - min(part)) / 15 for part in parts]
    d, dmin = half(max(steps) / 63), half(max(0.0, *(-min(part) for part in parts)) / 63)
    scales = [nearest(step / d, 63) if d else 0 for step in steps]
    mins = [nearest(-min(part) / dmin, 63) if dmin else 0 for part in parts]
    base = Block(d, dmin, scales, mins, [])
    return recoded(numbers, base, lambda x, p: (x + dmin * mins[p]) / (d * scales[p] or 1.0))


def write_case(group: str, x: Tensor) -> Case:
    """One call; x (n, 256)."""
    rows = x.tolist()
    blocks = [block_of(row) for row in rows]

    def each(rule: Callable[[list[float], Block], bytes]) -> Callable[[], Made]:
        return lambda: [table([rule(row, block) for row, block in zip(rows, blocks, strict=True)])]

    sign = ("q4-k-min-sign", "The minimum has the wrong sign: number = d * scale * code - dmin * min, and dmin * min "
                             "is -low, never negative.")
    wrong: list[Mistake] = [
        (sign[0], each(lambda row, b: write(positive_min(row, b))), sign[1]),
        (sign[0], each(lambda row, b: write(replace(b, dmin=-b.dmin))), sign[1]),
        ("codes-from-exact-steps", each(lambda row, b: write(exact_steps(row, b))),
         "The codes were made with the steps before they were rounded to six bits. The reader has the rounded ones "
         "only: use d * scale and dmin * min."),
        ("scales-one-after-the-other", each(lambda row, b: write(b, one_after_the_other)),
         "The 6-bit scales and minima were written one after the other. The format spreads them: see the contract."),
        ("scales-without-their-top-bits",
         each(lambda row, b: write(b, lambda c: [v % 64 for v in packed_scales(c)[:8]] + packed_scales(c)[8:])),
         "The top two bits of scales and minima 4..7 are missing; they stand above those of 0..3."),
        ("neighbours-share-a-byte", each(lambda row, b: write(b, layout="neighbours")),
         "Codes 2i and 2i + 1 share a byte. Here code i of part 2p and code i of part 2p + 1 do."),
        ("halves-of-a-part-share-a-byte", each(lambda row, b: write(b, layout="halves")),
         "Codes i and i + 16 of a part share a byte, as in Q4_0. Here code i of part 2p and code i of part 2p + 1 do."),
        ("nibbles-swapped", each(lambda row, b: write(b, swapped=True)),
         "Part 2p goes into the low bits, 2p + 1 into the high."),
        ("low-above-zero", each(lambda row, b: write(without_zero(row))),
         "low was the smallest number even where that is above 0; a min of six bits without a sign cannot hold it. "
         "Take min(0, smallest)."),
    ]
    right = table([write(block) for block in blocks])
    return Case(WRITE, group, (Call("q4_k", (x,)),), Parts({"the bytes": right}, wrong))


def read_case(group: str, blocks: Tensor) -> Case:
    rows = blocks.tolist()

    def other(**how) -> Callable[[], Made]:
        return lambda: [torch.tensor([read(row, **how) for row in rows])]

    wrong: list[Mistake] = [
        ("q4-k-min-sign", other(sign=1), "The minimum was added: number = d * scale * code - dmin * min."),
        ("minimum-ignored", other(sign=0), "The minimum was ignored."),
        ("scales-without-their-top-bits", other(high=False),
         "Scales and minima 4..7 lack their top two bits; they stand in bytes 4..11, above those of 0..3."),
        ("scales-without-their-top-bits", other(same=True), "Parts 4..7 got the scales of parts 0..3."),
        ("nibbles-swapped", other(swapped=True), "Part 2p is in the low bits, part 2p + 1 in the high ones."),
        ("neighbours-share-a-byte", other(layout="neighbours"),
         "The two codes of a byte were taken for neighbours. They belong to parts 2p and 2p + 1."),
    ]
    right = torch.tensor([read(row) for row in rows])
    return Case(READ, group, (Call("from_q4_k", (blocks,)),), Parts({"the numbers": right}, wrong, whole=1e-6))


def doubtful(x: Tensor) -> bool:
    """True if a scale, minimum or code of these 256 numbers is so near a tie that float32 may decide otherwise."""
    numbers = x.tolist()
    block = block_of(numbers)
    lows = [min(0.0, *numbers[i:i + 32]) for i in range(0, 256, 32)]
    places = [(max(numbers[32 * p:32 * p + 32]) - lows[p]) / 15 / block.d for p in range(8) if block.d]
    places += [-low / block.dmin for low in lows if block.dmin]
    grids, lifts = [block.d * s for s in block.scales], [block.dmin * m for m in block.mins]
    places += [(v + lifts[i // 32]) / grids[i // 32] for i, v in enumerate(numbers) if grids[i // 32]]
    return any(abs(place % 1 - 0.5) < 1e-4 for place in places)


def numbers(generator: torch.Generator, lift: float = 0.0) -> Tensor:
    """256 numbers clear of ties; the parts differ in size."""
    while True:
        sizes = 0.2 + torch.rand(8, 1, generator=generator)
        x = ((torch.randn(8, 32, generator=generator) + lift) * sizes * 0.05).reshape(256)
        if not doubtful(x):
            return x


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(66_000 + seed)
    positive, negative = numbers(generator).abs() + 0.01, -numbers(generator).abs() - 0.01
    while doubtful(positive):
        positive = positive + 0.001
    while doubtful(negative):
        negative = negative - 0.001
    empty = torch.zeros(256)
    raw = torch.randint(0, 256, (2, 144), generator=generator)
    raw[:, [1, 3]] = raw[:, [1, 3]] % 0x3C  # finite d and dmin, up to 1
    return [
        write_case(FIELDS, numbers(generator)[None]),
        write_case(FIELDS, torch.stack([numbers(generator), numbers(generator, 0.7)])),
        write_case(EDGES, torch.stack([positive, empty])), write_case(EDGES, negative[None]),
        read_case(NUMBERS, table([write(block_of(numbers(generator).tolist()))])),
        read_case(NUMBERS, raw.to(torch.uint8)),
    ]
