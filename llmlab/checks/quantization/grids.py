"""Checks of symmetric, affine and dequantize. The oracle lists the numbers of a grid and takes the nearest one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Call, Case, Task
from llmlab.checks.quantization.kit import (By, Made, Mistake, Parts, clear, drawn, judge, members, nearest, rows_of,
                                            single)

__all__ = ["TASKS", "cases", "judge"]

SYMMETRIC, AFFINE, BACK = "quantization.symmetric", "quantization.affine", "quantization.dequantize"
ROWS, GROUPS, CLIPPED, EDGES = "a scale for a tensor or a row", "a scale for a group", "clipping", "ties and zeros"
MOVED, ONE_SIDED = "a grid with a zero point", "numbers of one sign"
CENTRED, SHIFTED = "symmetric codes", "codes with zero points"
TASKS = (
    Task(SYMMETRIC, "lab6", "put numbers on a symmetric grid", {ROWS: 1, GROUPS: 2, CLIPPED: 1, EDGES: 1},
         "part4/quantization.html#sec-symmetric"),
    Task(AFFINE, "lab6", "put numbers on a grid with a zero point", {MOVED: 1, ONE_SIDED: 1, EDGES: 1},
         "part4/quantization.html#sec-affine"),
    Task(BACK, "lab6", "turn codes back into numbers", {CENTRED: 1, SHIFTED: 1},
         "part4/quantization.html#sec-symmetric"),
)


def symmetric_by_hand(x: Tensor, bits: int, by: By, clip: float = 1.0) -> tuple[Tensor, Tensor]:
    """The oracle: codes int8 and scales; for each number every code is tried."""
    most, codes, scales = 2 ** (bits - 1) - 1, torch.zeros(x.shape, dtype=torch.int8), []
    for group in members(x.shape, by):
        values = {at: x[at].item() for at in group}
        scale = single(clip * max(map(abs, values.values())) / most) or 1.0
        scales.append([scale])
        for at, value in values.items():
            codes[at] = nearest(value, range(-most, most + 1), lambda code, step=scale: code * step)
    return codes, torch.tensor(scales)


def affine_by_hand(x: Tensor, bits: int, by: By) -> tuple[Tensor, Tensor, Tensor]:
    """The oracle: codes uint8, scales, zero points. A code is the nearest multiple of the scale, moved and cut."""
    most, codes, scales, zeros = 2**bits - 1, torch.zeros(x.shape, dtype=torch.uint8), [], []
    for group in members(x.shape, by):
        values = {at: x[at].item() for at in group}
        low, high = min(0.0, *values.values()), max(0.0, *values.values())
        scale = single((high - low) / most) or 1.0
        wide = range(-2 * most, 2 * most + 1)
        zero = nearest(-low, wide, lambda code, step=scale: code * step)
        scales.append([scale])
        zeros.append([zero])
        for at, value in values.items():
            steps = nearest(value, wide, lambda code, step=scale: code * step)
            codes[at] = min(max(steps + zero, 0), most)
    return codes, torch.tensor(scales), torch.tensor(zeros, dtype=torch.uint8)


def odd_symmetric(x: Tensor, bits: int, by: By, clip: float = 1.0, *, divisor: float | None = None,
                  size: Callable[[Tensor], Tensor] = lambda rows: rows.abs().amax(1, keepdim=True),
                  integer: Callable[[Tensor], Tensor] = torch.round, cut: bool = True, least: int = 0,
                  zero: float = 1.0) -> tuple[Tensor, Tensor]:
    """symmetric with one thing done differently. least: how far below -m codes may go."""
    most, rows = 2 ** (bits - 1) - 1, rows_of(x, by)
    scales = clip * size(rows) / (most if divisor is None else divisor)
    codes = integer(rows / torch.where(scales == 0, 1.0, scales))
    codes = codes.clamp(-most - least, most) if cut else codes
    return codes.to(torch.int8).reshape(x.shape), torch.where(scales == 0, zero, scales)


def down_columns(x: Tensor, by: By, rule: Callable[[Tensor, By], Made]) -> Made:
    """A rule with its groups along columns instead of rows; scales in the order that x.T gives."""
    codes, *rest = rule(x.T.contiguous(), by)
    return codes.T, *rest


def symmetric_mistakes(x: Tensor, bits: int, by: By, clip: float) -> list[Mistake]:
    half = 2 ** (bits - 1)
    given = (x, bits, by, clip)
    size = x.shape[1] if by == "channel" else 0 if by == "tensor" else int(by)
    other: list[Mistake] = []
    if by != "tensor":
        count = len(members(x.shape, by))
        codes, scale = odd_symmetric(x, bits, "tensor", clip)
        words = "One scale was used for the whole tensor; each row or group has its own."
        other += [("scale-per-tensor", lambda: (codes, scale), words),
                  ("scale-per-tensor", lambda: (codes, scale.expand(count, 1)), words)]
        if size < x.shape[1]:
            other.append(("scale-per-channel", lambda: odd_symmetric(x, bits, "channel", clip),
                          "One scale was used for a row; each group of the row has its own."))
        if by == "channel" or x.shape[0] % size == 0:
            other.append(("groups-down-the-columns",
                          lambda: down_columns(x, by, lambda t, b: odd_symmetric(t, bits, b, clip)),
                          "The groups run down the columns. A group lies in one row: those are the numbers that "
                          "are multiplied and added up together."))
    return other + [
        ("scale-absmax-over-2-to-the-b-1", lambda: odd_symmetric(*given, divisor=half),
         f"absmax was divided by {half}; the largest code is {half - 1}, so absmax / {half - 1} is the scale."),
        ("scale-absmax-over-2-to-the-b-1", lambda: odd_symmetric(*given, divisor=half, least=1),
         f"absmax was divided by {half}; the largest code is {half - 1}, so absmax / {half - 1} is the scale."),
        ("scale-absmax-over-half", lambda: odd_symmetric(*given, divisor=half - 0.5),
         f"absmax was divided by {half - 0.5}; here the scale is absmax / {half - 1}."),
        ("truncates", lambda: odd_symmetric(*given, integer=torch.trunc),
         "The fraction was cut off. Round to the nearest: the error is at most half a step instead of a whole one."),
        ("truncates", lambda: odd_symmetric(*given, integer=torch.floor),
         "Numbers were rounded down. Round to the nearest: the error is at most half a step instead of a whole one."),
        ("ties-not-to-even", lambda: odd_symmetric(*given, integer=lambda v: (v + 0.5).floor()),
         "Ties were rounded up. They go to the even code, so that errors do not all point the same way."),
        ("ties-not-to-even", lambda: odd_symmetric(*given, integer=lambda v: v.sign() * (v.abs() + 0.5).floor()),
         "Ties were rounded away from 0. They go to the even code."),
        ("no-clamp", lambda: odd_symmetric(*given, cut=False),
         "Codes beyond the largest were not cut off; they need more bits, or wrap around in int8."),
        ("uses-the-code-below-the-grid", lambda: odd_symmetric(*given, least=1),
         f"The code {-half} was used. This grid is symmetric: {1 - half}..{half - 1}."),
        ("zero-group-divides-by-zero", lambda: odd_symmetric(*given, zero=0.0),
         "The scale of a group of zeros came out as 0, and its codes as 0 / 0. Give it the scale 1."),
        ("largest-not-absolute", lambda: odd_symmetric(*given, size=lambda r: r.amax(1, keepdim=True)),
         "The scale comes from the largest number; take the largest absolute value."),
        ("range-for-absmax", lambda: odd_symmetric(
            *given, size=lambda r: (r.amax(1, keepdim=True) - r.amin(1, keepdim=True)) / 2),
         "The scale comes from half the range; a grid around 0 needs the largest absolute value."),
        ("ignores-clip", lambda: odd_symmetric(x, bits, by), "clip was ignored."),
    ]


def symmetric_case(group: str, x: Tensor, bits: int, by: By, clip: float = 1.0) -> Case:
    """One call. `x` must be clear of ties, or have exact ones."""
    codes, scales = symmetric_by_hand(x, bits, by, clip)
    given = (x, bits, by) if clip == 1.0 else (x, bits, by, clip)
    expect = Parts({"codes": codes, "scales": scales}, symmetric_mistakes(x, bits, by, clip))
    return Case(SYMMETRIC, group, (Call("symmetric", given),), expect)


def weights(generator: torch.Generator, rows: int, columns: int, bits: int, by: By, clip: float = 1.0) -> Tensor:
    """Random numbers, clear of ties on the symmetric grid."""
    x = drawn(generator, rows, columns, by)
    return clear(x, by, clip * rows_of(x, by).abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1))


def odd_affine(x: Tensor, bits: int, by: By, *, divisor: int | None = None, zero_on_it: bool = True,
               integer: Callable[[Tensor], Tensor] = torch.round, point: Callable[[Tensor], Tensor] = torch.round,
               cut: bool = True, after: bool = False, zero: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """affine with one thing done differently. after: the codes are made from low, without the rounded zero point."""
    most, rows = 2**bits - 1, rows_of(x, by)
    low, high = rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)
    low, high = (low.clamp(max=0), high.clamp(min=0)) if zero_on_it else (low, high)
    scales = (high - low) / (most if divisor is None else divisor)
    safe = torch.where(scales == 0, 1.0, scales)
    zeros = point(-low / safe)
    codes = integer((rows - low) / safe) if after else integer(rows / safe) + zeros
    codes = codes.clamp(0, most) if cut else codes
    zeros = zeros if point is NO_ROUNDING else zeros.to(torch.int64) % 256  # as uint8 keeps it
    return codes.to(torch.int64).reshape(x.shape) % 256, torch.where(scales == 0, zero, scales), zeros


def NO_ROUNDING(value: Tensor) -> Tensor:
    return value


def affine_mistakes(x: Tensor, bits: int, by: By) -> list[Mistake]:
    most, given = 2**bits - 1, (x, bits, by)
    unrounded = "The zero point was not rounded. It is a code itself: only then does 0 come back as exactly 0."
    outside = ("The grid runs from the smallest to the largest number, and 0 lies outside. Let low be at most 0 "
               "and high at least 0: zeros (padding, pruned weights) must come back exactly.")

    def cut_point() -> Tensor:
        return odd_affine(*given, zero_on_it=False, point=lambda z: z.round().clamp(0, most))[2]

    other: list[Mistake] = []
    if by != "tensor":
        other.append(("scale-per-tensor", lambda: odd_affine(x, bits, "tensor"),
                      "One scale was used for the whole tensor; each row or group has its own."))
    return other + [
        ("zero-point-not-rounded", lambda: odd_affine(*given, point=NO_ROUNDING, after=True), unrounded),
        ("zero-point-not-rounded", lambda: odd_affine(*given, point=torch.floor, after=True), unrounded),
        ("zero-point-not-rounded", lambda: odd_affine(*given, after=True),
         "The codes come from round((x - low) / scale), where the zero point was not rounded, so they do not fit "
         "the rounded one that is returned."),
        ("zero-point-truncated", lambda: odd_affine(*given, point=torch.floor),
         "The zero point was cut off, not rounded."),
        ("zero-not-representable", lambda: odd_affine(*given, zero_on_it=False), outside),
        ("zero-not-representable", lambda: [*odd_affine(*given, zero_on_it=False)[:2], cut_point()], outside),
        ("zero-not-representable", lambda: odd_affine(*given, zero_on_it=False,
                                                      point=lambda z: z.round().clamp(0, most)), outside),
        ("scale-over-2-to-the-b", lambda: odd_affine(*given, divisor=most + 1),
         f"The range was divided by {most + 1}. {most + 1} codes have {most} steps between them."),
        ("truncates", lambda: odd_affine(*given, integer=torch.floor),
         "Numbers were rounded down; round to the nearest."),
        ("truncates", lambda: odd_affine(*given, integer=torch.trunc),
         "The fraction was cut off; round to the nearest."),
        ("ties-not-to-even", lambda: odd_affine(*given, integer=lambda v: (v + 0.5).floor()),
         "Ties were rounded up. They go to the even multiple of the scale."),
        ("no-clamp", lambda: odd_affine(*given, cut=False), f"A code beyond {most} was not cut off."),
        ("zero-group-divides-by-zero", lambda: odd_affine(*given, zero=0.0),
         "The scale of a group of zeros came out as 0. Give it the scale 1."),
    ]


def affine_case(group: str, x: Tensor, bits: int, by: By) -> Case:
    """One call. `x` must be clear of ties, or have exact ones."""
    codes, scales, zeros = affine_by_hand(x, bits, by)
    expect = Parts({"codes": codes, "scales": scales, "zeros": zeros}, affine_mistakes(x, bits, by))
    return Case(AFFINE, group, (Call("affine", (x, bits, by)),), expect)


def lopsided(generator: torch.Generator, rows: int, columns: int, bits: int, by: By, lift: float) -> Tensor:
    """Random numbers off the middle (lift > 0.2: of one sign), clear of ties, zero points too."""
    most = 2**bits - 1
    while True:
        x = drawn(generator, rows, columns, by) + lift
        groups = rows_of(x, by)
        low, high = groups.amin(1, keepdim=True).clamp(max=0), groups.amax(1, keepdim=True).clamp(min=0)
        scales = (high - low) / most
        parts = torch.cat([-low / scales, high / scales]) % 1
        if not bool(((parts - 0.5).abs() < 0.08).any()):
            return clear(x, by, scales, ends=True)


def back_case(group: str, codes: Tensor, scales: Tensor, zeros: Tensor | None) -> Case:
    """One call of dequantize."""
    flat, size = codes.reshape(-1).tolist(), codes.numel() // len(scales)
    moved = [0] * len(scales) if zeros is None else zeros.reshape(-1).tolist()
    steps = scales.reshape(-1).tolist()
    plain = [(code - moved[i // size]) * steps[i // size] for i, code in enumerate(flat)]
    right = torch.tensor(plain).reshape(codes.shape)
    rows = codes.float().reshape(len(scales), -1)
    wrong: list[Mistake] = [
        ("scales-in-another-order", lambda: [(codes.float().reshape(-1, len(scales)) * scales.reshape(1, -1)).reshape(
            codes.shape)], "Scales were laid across the codes in turn. A scale belongs to neighbours."),
    ]
    if len(scales) % codes.shape[0] == 0 and len(scales) > codes.shape[0]:
        per = len(scales) // codes.shape[0]
        wrong.append(("first-scale-of-the-row", lambda: [codes.float() * scales.reshape(-1, per)[:, :1]],
                      "Only the first scale of each row was used."))
    if zeros is not None:
        low = zeros.float()
        wrong += [
            ("subtracts-in-uint8",
             lambda: [((codes.reshape(len(scales), -1) - zeros).float() * scales).reshape(codes.shape)],
             "code - zero was computed in uint8, where 3 - 5 is 254. Widen both before the subtraction."),
            ("ignores-zero-points", lambda: [(rows * scales).reshape(codes.shape)], "The zero points were ignored."),
            ("adds-the-zero-point", lambda: [((rows + low) * scales).reshape(codes.shape)],
             "The zero point was added; quantizing added it, so now it is taken off."),
            ("zero-point-after-the-scale", lambda: [(rows * scales - low).reshape(codes.shape)],
             "The zero point was taken off after the product. It is a code: take it off first."),
        ]
    given = (codes, scales) if zeros is None else (codes, scales, zeros)
    return Case(BACK, group, (Call("dequantize", given),), Parts({"the numbers": right}, wrong))


def random_codes(generator: torch.Generator, shape: Sequence[int], low: int, high: int, dtype: torch.dtype) -> Tensor:
    return torch.randint(low, high + 1, tuple(shape), generator=generator).to(dtype)


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(61_000 + seed)
    made = [symmetric_case(ROWS, weights(generator, 3, 8, 4, "tensor"), 4, "tensor"),
            symmetric_case(ROWS, weights(generator, 4, 4, 8, "channel"), 8, "channel"),
            symmetric_case(ROWS, weights(generator, 2, 9, 3, "channel"), 3, "channel"),
            symmetric_case(GROUPS, weights(generator, 4, 12, 4, 4), 4, 4),
            symmetric_case(GROUPS, weights(generator, 2, 16, 2, 8), 2, 8),
            Case(SYMMETRIC, GROUPS, (Call("symmetric", (torch.ones(2, 10), 4, 4)),), Refuse("4")),
            symmetric_case(CLIPPED, weights(generator, 2, 12, 4, "channel", 0.6), 4, "channel", 0.6),
            symmetric_case(CLIPPED, weights(generator, 2, 12, 8, 6, 0.8), 8, 6, 0.8)]
    ties = torch.tensor([[0.5, 1.5, -0.5, -2.5, 7.0, 2.5], [0.0, -0.25, 3.5, 0.75, -1.25, 1.0]])
    empty = weights(generator, 2, 8, 4, 4)
    empty[1, :4] = 0
    made += [symmetric_case(EDGES, ties, 4, "channel"), symmetric_case(EDGES, empty, 4, 4)]
    made += [affine_case(MOVED, lopsided(generator, 3, 6, 4, "channel", 0.03), 4, "channel"),
             affine_case(MOVED, lopsided(generator, 2, 12, 4, 6, -0.02), 4, 6),
             affine_case(MOVED, lopsided(generator, 2, 4, 8, "tensor", 0.02), 8, "tensor"),
             affine_case(ONE_SIDED, lopsided(generator, 2, 6, 3, "channel", 0.6), 3, "channel"),
             affine_case(ONE_SIDED, lopsided(generator, 2, 6, 4, 3, -0.6), 4, 3)]
    ties = torch.tensor([[-3.5, 11.5, 2.5, -1.5, 0.5, 0.0], [-2.0, 13.0, 4.5, 5.5, -0.5, 1.0]])
    made += [affine_case(EDGES, ties, 4, "channel"),
             affine_case(EDGES, torch.tensor([[0.0, 0.0], [3.0, 0.0]]), 4, "channel")]
    steps = torch.rand(8, 1, generator=generator) * 0.1 + 0.01
    made += [back_case(CENTRED, random_codes(generator, (2, 6), -7, 7, torch.int8), steps[:2], None),
             back_case(CENTRED, random_codes(generator, (2, 8), -127, 127, torch.int8), steps[:4], None),
             back_case(SHIFTED, random_codes(generator, (2, 8), 0, 15, torch.uint8), steps[:4],
                       torch.tensor([[3], [12], [0], [7]], dtype=torch.uint8)),
             back_case(SHIFTED, random_codes(generator, (3, 4), 0, 255, torch.uint8), steps[:3],
                       torch.tensor([[128], [0], [200]], dtype=torch.uint8))]
    return made
