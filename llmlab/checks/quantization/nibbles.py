"""Checks of pack_int4 and unpack_int4. The oracle writes and reads bytes as two hexadecimal digits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Call, Case, Task
from llmlab.checks.quantization.kit import Made, Mistake, Parts, judge

__all__ = ["TASKS", "cases", "judge"]

PACK, UNPACK = "quantization.pack_int4", "quantization.unpack_int4"
EVEN, ODD = "even rows", "odd rows"
REFUSED = "odd rows and codes that do not fit"
TASKS = (
    Task(PACK, "lab6", "put two 4-bit codes into a byte", {EVEN: 1, REFUSED: 1}, "part4/numbers.html#sec-int4"),
    Task(UNPACK, "lab6", "get the codes out of the bytes", {EVEN: 1, ODD: 1}, "part4/numbers.html#sec-int4"),
)
DIGITS = "0123456789abcdef"


def digit(code: int) -> str:
    """Two's complement of four bits: -1 is f.

    >>> digit(7), digit(-8), digit(-1)
    ('7', '8', 'f')
    """
    return DIGITS[code] if code >= 0 else DIGITS[16 + code]


def packed_by_hand(codes: Sequence[Sequence[int]]) -> list[list[int]]:
    """The oracle: the second code is the first digit of its byte."""
    made = []
    for row in codes:
        row = [*row, 0] if len(row) % 2 else list(row)
        made.append([int(digit(row[i + 1]) + digit(row[i]), 16) for i in range(0, len(row), 2)])
    return made


def unpacked_by_hand(packed: Sequence[Sequence[int]], columns: int) -> list[list[int]]:
    """The oracle: both digits of each byte, the last one first, and those above 7 are negative."""
    made = []
    for row in packed:
        digits = [DIGITS.index(one) for byte in row for one in reversed(f"{byte:02x}")]
        made.append([value - 16 if value > 7 else value for value in digits][:columns])
    return made


def odd_pack(codes: Tensor, *, swapped: bool = False, masked: bool = True, lift: int = 0, halves: bool = False,
             drop: bool = False) -> Made:
    """pack_int4 with one thing done differently, as int64."""
    wide = codes.long() + lift
    wide = wide & 15 if masked else wide
    if wide.shape[1] % 2:
        wide = wide[:, :-1] if drop else torch.nn.functional.pad(wide, (0, 1), value=lift)
    first, second = wide.chunk(2, 1) if halves else (wide[:, 0::2], wide[:, 1::2])
    if swapped:
        first, second = second, first
    return [(first | second << 4) % 256]


def odd_unpack(packed: Tensor, columns: int, *, swapped: bool = False, signed: bool = True, halves: bool = False,
               keep: bool = False, lift: int = 0) -> Made:
    """unpack_int4 with one thing done differently, as int64."""
    low, high = packed.long() & 15, packed.long() >> 4
    first, second = (high, low) if swapped else (low, high)
    codes = torch.cat([first, second], 1) if halves else torch.stack([first, second], -1).flatten(1)
    codes = codes - lift if lift else torch.where(codes > 7, codes - 16, codes) if signed else codes
    return [codes if keep else codes[:, :columns]]


def pack_case(group: str, codes: Tensor) -> Case:
    wrong: list[Mistake] = [
        ("nibbles-swapped", lambda: odd_pack(codes, swapped=True),
         "The first code went into the high four bits. It goes into the low ones."),
        ("sign-spills-over", lambda: odd_pack(codes, masked=False),
         "The first code was not cut to four bits: a negative number has ones in all higher bits, and they cover "
         "the second code. Take code & 15."),
        ("offset-for-two-s-complement", lambda: odd_pack(codes, lift=8),
         "8 was added to the codes. Keep their two's complement: -1 is 15, 7 is 7."),
        ("pairs-halves-of-the-row", lambda: odd_pack(codes, halves=True),
         "Code i was put together with code i + C/2. Here neighbours share a byte. (GGUF pairs halves, as q4_0 does.)"),
        ("drops-the-last-code", lambda: odd_pack(codes, drop=True), "The last code of an odd row is missing."),
    ]
    right = torch.tensor(packed_by_hand(codes.tolist()), dtype=torch.uint8)
    return Case(PACK, group, (Call("pack_int4", (codes,)),), Parts({"the bytes": right}, wrong))


def unpack_case(group: str, packed: Tensor, columns: int) -> Case:
    wrong: list[Mistake] = [
        ("nibbles-swapped", lambda: odd_unpack(packed, columns, swapped=True),
         "The high four bits came first. The first code is in the low ones."),
        ("sign-lost", lambda: odd_unpack(packed, columns, signed=False),
         "The codes are 0..15: their sign is lost. Four bits above 7 are negative: take 16 off."),
        ("offset-for-two-s-complement", lambda: odd_unpack(packed, columns, lift=8),
         "8 was taken off every code. They are two's complement: only those above 7 are negative, by 16."),
        ("pairs-halves-of-the-row", lambda: odd_unpack(packed, columns, halves=True),
         "All low codes came first and then all high ones. Neighbours share a byte."),
        ("keeps-the-filling", lambda: odd_unpack(packed, columns, keep=True),
         "The filling of an odd row came back as a code. Return `columns` codes."),
    ]
    right = torch.tensor(unpacked_by_hand(packed.tolist(), columns), dtype=torch.int8)
    return Case(UNPACK, group, (Call("unpack_int4", (packed, columns)),), Parts({"the codes": right}, wrong))


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(62_000 + seed)

    def codes(rows: int, columns: int) -> Tensor:
        made = torch.randint(-8, 8, (rows, columns), generator=generator)
        made[0, 0] = -3  # a negative first code, or no sign is seen
        return made.to(torch.int8)

    def packed(rows: int, columns: int) -> Tensor:
        return torch.tensor(packed_by_hand(codes(rows, columns).tolist()), dtype=torch.uint8)

    large, small = codes(2, 4), codes(2, 4)
    large[1, 2], small[0, 1] = 8, -9
    return [
        pack_case(EVEN, codes(1, 2)), pack_case(EVEN, codes(3, 8)), pack_case(REFUSED, codes(2, 5)),
        Case(PACK, REFUSED, (Call("pack_int4", (large,)),), Refuse("8")),
        Case(PACK, REFUSED, (Call("pack_int4", (small,)),), Refuse("-9")),
        unpack_case(EVEN, packed(1, 2), 2), unpack_case(EVEN, packed(3, 8), 8), unpack_case(ODD, packed(2, 5), 5),
        unpack_case(ODD, packed(2, 1), 1),
    ]
