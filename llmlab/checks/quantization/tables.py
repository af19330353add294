"""Checks of nf4_table, table_codes and double_quantize. The oracles: the published table; every value, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import torch
from torch import Tensor

from llmlab.checks.protocol import Call, Case, Task
from llmlab.checks.quantization.grids import odd_symmetric
from llmlab.checks.quantization.kit import By, Made, Mistake, Parts, judge, members, nearest, rows_of, single

__all__ = ["TASKS", "cases", "judge"]

TABLE, CODES, DOUBLE = "quantization.nf4_table", "quantization.table_codes", "quantization.double_quantize"
NF4, OTHER, ONE, MANY = "NF4", "other tables and groups", "one block", "several blocks"
VALUES = "the values"
TASKS = (
    Task(TABLE, "lab6", "make the table of NF4 from quantiles", {VALUES: 2}, "part4/quantization.html#sec-nf4"),
    Task(CODES, "lab6", "find the nearest value of a table", {NF4: 1, OTHER: 1}, "part4/quantization.html#sec-nf4"),
    Task(DOUBLE, "lab6", "quantize the scales", {ONE: 1, MANY: 1}, "part4/quantization.html#sec-double"),
)
PUBLISHED = (-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
             -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
             0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023,
             1.0)
"""Dettmers et al. 2023, appendix E, as bitsandbytes prints it; tests hold it against scipy's quantiles."""


def quantiles(probabilities: Sequence[float], largest: float = 0.0) -> Made:
    """The normal quantiles, ascending, divided by the largest."""
    values = sorted(NormalDist().inv_cdf(p) for p in probabilities)
    return [torch.tensor([v / (largest or max(map(abs, values))) for v in values])]


def spaced(first: float, last: float, count: int) -> list[float]:
    return [first + (last - first) * i / (count - 1) for i in range(count)]


def table_case(group: str) -> Case:
    """The one call there is."""
    p = 1 - (1 / 30 + 1 / 32) / 2
    seven = [1 - q for q in spaced(p, 0.5, 8)[:-1]]
    eight = spaced(p, 0.5, 9)[:-1]
    mirrored = [-v for v in reversed(PUBLISHED)]
    wrong: list[Mistake] = [
        ("nf4-without-an-exact-zero", lambda: quantiles(spaced(1 - p, p, 16)),
         "These are 16 quantiles in a row, and none of them is 0. Weights of 0 must stay 0, so the two sides are "
         "made apart, 7 and 8 of them, with a 0 between."),
        ("nf4-without-an-exact-zero", lambda: quantiles([(i + 0.5) / 16 for i in range(16)]),
         "These are the quantiles of the middles of 16 equal shares, and none of them is 0."),
        ("nf4-without-an-exact-zero", lambda: quantiles([1 - q for q in eight] + eight),
         "Both sides have 8 values, and none is 0. The negative side has 7."),
        ("nf4-mirrored", lambda: [torch.tensor(mirrored)], "The negative side has 8 values here; it is the positive "
                                                           "one."),
        ("nf4-not-normalised", lambda: quantiles([*seven, 0.5, *eight], 1.0),
         "The values were not divided by the largest: the table runs from -1 to 1."),
        ("nf4-uniform", lambda: [torch.linspace(-1, 1, 16)],
         "These values are evenly spaced. NF4 takes evenly spaced probabilities, and their quantiles."),
        ("nf4-descending", lambda: [torch.tensor(PUBLISHED[::-1])], "The table should be ascending."),
    ]
    return Case(TABLE, group, (Call("nf4_table"),), Parts({"the table": torch.tensor(PUBLISHED)}, wrong))


def codes_by_hand(x: Tensor, table: Sequence[float], by: By) -> tuple[Tensor, Tensor]:
    """The oracle: every value of the table is tried."""
    codes, scales = torch.zeros(x.shape, dtype=torch.uint8), []
    for group in members(x.shape, by):
        scale = single(max(abs(x[at].item()) for at in group)) or 1.0
        scales.append([scale])
        for at in group:
            codes[at] = min(range(len(table)), key=lambda code, at=at, s=scale: abs(x[at].item() / s - table[code]))
    return codes, torch.tensor(scales)


def apart(x: Tensor, table: Tensor, by: By) -> Tensor:
    """x with numbers near the middle of two table values moved away from it."""
    rows = rows_of(x, by).double()
    scales = rows.abs().amax(1, keepdim=True)
    for low, high in zip(table[:-1].tolist(), table[1:].tolist(), strict=True):
        middle, gap = (low + high) / 2, (high - low) * 0.05
        place = rows / scales
        rows = torch.where((place - middle).abs() < gap, (middle + torch.where(place < middle, -gap, gap)) * scales,
                           rows)
    return rows.float().reshape(x.shape)


def codes_case(group: str, x: Tensor, table: Tensor, by: By) -> Case:
    """One call. `x` must be clear of ties."""
    codes, scales = codes_by_hand(x, table.tolist(), by)
    rows, last = rows_of(x, by), len(table) - 1
    places = rows / torch.where(rows.abs().amax(1, keepdim=True) == 0, 1.0, rows.abs().amax(1, keepdim=True))

    def made(found: Tensor) -> Made:
        return [found.clamp(0, last).long().reshape(x.shape), scales]

    def whole() -> Made:
        largest = x.abs().max()
        found = (x[..., None] / largest - table).abs().argmin(-1)
        return [found, largest.reshape(1, 1)]

    wrong: list[Mistake] = [
        ("lower-neighbour", lambda: made(torch.bucketize(places, table, right=True) - 1),
         "The value below was taken (the floor of the index), not the nearer of the two neighbours."),
        ("upper-neighbour", lambda: made(torch.bucketize(places, table)),
         "The value above was taken, not the nearer one."),
        ("index-by-arithmetic", lambda: made(((places + 1) / 2 * last).round()),
         "The index was computed as if the values were evenly spaced. They are not: compare with the table."),
        ("index-by-arithmetic", lambda: made(((places + 1) / 2 * last).floor()),
         "The index was computed as if the values were evenly spaced. They are not: compare with the table."),
        ("not-divided-by-absmax", lambda: made((rows[..., None] - table).abs().argmin(-1)),
         "The numbers were not divided by their scale before the table was searched."),
        ("largest-not-absolute",
         lambda: [(rows[..., None] / rows.amax(1, keepdim=True)[..., None] - table).abs().argmin(
            -1).reshape(x.shape), rows.amax(1, keepdim=True)],
            "The scale is the largest number; take the largest |x|."),
    ]
    if by != "tensor":
        wrong.append(("scale-per-tensor", whole, "One scale was used for the whole tensor; each group has its own."))
    return Case(CODES, group, (Call("table_codes", (x, table, by)),),
                Parts({"codes": codes, "scales": scales}, wrong))


def double_by_hand(scales: Tensor, block: int) -> tuple[Tensor, Tensor, Tensor]:
    """The oracle, in plain Python."""
    values = scales.reshape(-1).tolist()
    offset = single(sum(values) / len(values))
    codes, steps = [], []
    for start in range(0, len(values), block):
        rest = [v - offset for v in values[start:start + block]]
        step = single(max(map(abs, rest)) / 127) or 1.0
        steps.append([step])
        codes += [[nearest(v, range(-127, 128), lambda code, s=step: code * s)] for v in rest]
    return torch.tensor(codes, dtype=torch.int8), torch.tensor(steps), torch.tensor(offset)


def double_case(group: str, generator: torch.Generator, count: int, block: int) -> Case:
    """One call with scales that leave no doubt about their codes."""
    while True:
        scales = 0.02 + 0.05 * torch.rand(count, 1, generator=generator) ** 2
        offset = scales.double().mean()
        rows = (scales.double() - offset).reshape(-1, block)
        part = rows / (rows.abs().amax(1, keepdim=True) / 127) % 1
        if not bool(((part - 0.5).abs() < 0.01).any()):
            break
    codes, steps, offset = double_by_hand(scales, block)
    row = scales.reshape(1, -1)

    def flat(made: Made, middle: Tensor) -> Made:
        return [made[0].reshape(-1, 1), made[1], middle]

    least = row.min()
    signed = "Half of the grid is empty."
    wrong: list[Mistake] = [
        ("offset-forgotten", lambda: flat(odd_symmetric(row, 8, block), offset),
         f"The mean was returned, but not taken off before quantizing: all codes are positive. {signed}"),
        ("offset-forgotten", lambda: flat(odd_symmetric(row, 8, block), torch.tensor(0.0)),
         f"The mean was not taken off: all codes are positive. {signed}"),
        ("offset-is-the-smallest", lambda: flat(odd_symmetric(row - least, 8, block), least),
         f"The smallest scale was taken off; take the mean. {signed}"),
        ("offset-of-each-block",
         lambda: flat(odd_symmetric(rows.float() - rows.float().mean(1, keepdim=True), 8, "channel"),
                                              offset), "Each block had its own mean taken off; there is one "
                                                       "offset, for all."),
        ("one-step-for-all", lambda: flat(odd_symmetric(row - offset, 8, "tensor"), offset),
         "One step was used for all scales; each block has its own."),
        ("truncates", lambda: flat(odd_symmetric(row - offset, 8, block, integer=torch.trunc), offset),
         "The fraction was cut off; round to the nearest."),
    ]
    expect = Parts({"codes": codes, "steps": steps, "offset": offset}, wrong)
    return Case(DOUBLE, group, (Call("double_quantize", (scales, block)),), expect)


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(64_000 + seed)
    nf4 = torch.tensor(PUBLISHED)
    uneven = torch.tensor([-1.0, -0.5, -0.1, 0.0, 0.3, 1.0])

    def numbers(rows: int, columns: int, table: Tensor, by: By) -> Tensor:
        x = torch.randn(rows, columns, generator=generator) * torch.rand(rows, 1, generator=generator)
        return apart(x, table, by)

    empty = numbers(2, 8, nf4, 4)
    empty[0, 4:] = 0
    return [
        table_case(VALUES),
        codes_case(NF4, numbers(2, 24, nf4, 8), nf4, 8),
        codes_case(NF4, numbers(3, 16, nf4, "channel"), nf4, "channel"),
        codes_case(OTHER, numbers(2, 12, uneven, 6), uneven, 6), codes_case(OTHER, empty, nf4, 4),
        double_case(ONE, generator, 8, 8), double_case(MANY, generator, 24, 4),
    ]
