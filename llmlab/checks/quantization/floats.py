"""Checks of decode_float and round_float. The oracles read bits from text and look for the nearest of all numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache

import torch
from torch import Tensor

from llmlab.checks.protocol import Call, Case, Task
from llmlab.checks.quantization.kit import Made, Mistake, Parts, judge

__all__ = ["TASKS", "cases", "judge"]

DECODE, ROUND = "quantization.decode_float", "quantization.round_float"
ORDINARY, SPECIAL, EIGHT = "ordinary numbers", "subnormal numbers, infinity, nan", "8 bits"
NEAREST, TIES, BEYOND = "the nearest number", "ties and small numbers", "too large"
TASKS = (
    Task(DECODE, "lab6", "tell which number a bit pattern stands for", {ORDINARY: 1, SPECIAL: 1, EIGHT: 1},
         "part4/numbers.html#sec-float-bits"),
    Task(ROUND, "lab6", "round to a format of 8 bits", {NEAREST: 1, TIES: 1, BEYOND: 1},
         "part4/numbers.html#sec-fp8"),
)
HALF, BRAIN, E5M2, E4M3 = (5, 10, True), (8, 7, True), (5, 2, True), (4, 3, False)
Format = tuple[int, int, bool]


def number(code: int, exponent_bits: int, mantissa_bits: int, infinities: bool) -> float:
    """The oracle: the pattern as a text of digits, exact fractions.

    >>> number(0x3c00, 5, 10, True), number(0x7e, 4, 3, False)
    (1.0, 448.0)
    """
    digits = f"{code:0{1 + exponent_bits + mantissa_bits}b}"
    e, m = int(digits[1:1 + exponent_bits], 2), int(digits[1 + exponent_bits:], 2)
    last, part = "0" not in digits[1:1 + exponent_bits], Fraction(m, 2**mantissa_bits)
    bias = 2 ** (exponent_bits - 1) - 1
    sign = -1.0 if digits[0] == "1" else 1.0
    if last and infinities:
        return math.nan if m else sign * math.inf
    if last and "0" not in digits:
        return math.nan
    if last and "0" not in digits[1:]:
        return math.nan
    return sign * float((part if e == 0 else 1 + part) * Fraction(2) ** (max(e, 1) - bias))


@cache
def all_numbers(exponent_bits: int, mantissa_bits: int, infinities: bool) -> tuple[tuple[float, int], ...]:
    """(number, mantissa) of every finite pattern without a sign."""
    patterns = range(2 ** (exponent_bits + mantissa_bits))
    listed = [(number(code, exponent_bits, mantissa_bits, infinities), code) for code in patterns]
    return tuple((value, code) for value, code in listed if math.isfinite(value))


def rounded(value: float, form: Format) -> float:
    """The oracle: the nearest of all numbers, the one with an even pattern of two; too large: the largest."""
    if math.isnan(value):
        return value
    found = min(all_numbers(*form), key=lambda one: (abs(min(abs(value), 1e6) - one[0]), one[1] % 2))
    return math.copysign(found[0], value)


def odd_decode(codes: Tensor, form: Format, *, hidden: Callable[[Tensor], Tensor] = lambda e: e > 0,
               power: Callable[[Tensor], Tensor] = lambda e: e.clamp(min=1), bias: int = 0, special: bool = True,
               signed: bool = True) -> Made:
    """decode_float with one thing done differently; bias: how much is added to the right one."""
    exponent_bits, mantissa_bits, infinities = form
    top, full = 2**exponent_bits - 1, 2**mantissa_bits
    m, e, s = codes % full, codes // full % (top + 1), codes // full // (top + 1)
    sign = torch.where((s > 0) & signed, -1.0, 1.0).double()
    value = sign * (m / full + hidden(e).double()) * torch.exp2(power(e).double() - (top // 2) - bias)
    if special and infinities:
        value = torch.where(e == top, torch.where(m == 0, sign * torch.inf, torch.nan), value)
    elif special:
        value = torch.where((e == top) & (m == full - 1), torch.nan, value)
    return [value.float()]


def decode_case(group: str, codes: Sequence[int], form: Format) -> Case:
    """One call for these patterns."""
    given = torch.tensor(codes)
    right = torch.tensor([number(code, *form) for code in codes])
    other = (form[0], form[1], not form[2])
    wrong: list[Mistake] = [
        ("subnormal-with-a-leading-one", lambda: odd_decode(given, form, hidden=lambda e: e >= 0),
         "Where the exponent is 0 the leading 1 was still added. Such numbers are subnormal: without it."),
        ("subnormal-with-a-leading-one", lambda: odd_decode(given, form, hidden=lambda e: e >= 0, power=lambda e: e),
         "Where the exponent is 0 nothing special was done. Such numbers are subnormal: 2^(1 - bias) * f."),
        ("subnormal-one-power-too-low", lambda: odd_decode(given, form, power=lambda e: e),
         "Where the exponent is 0 the power was 2^(0 - bias). It is 2^(1 - bias): so they go on where the others end."),
        ("subnormal-flushed", lambda: [torch.where(given // 2 ** form[1] % 2 ** form[0] == 0, 0.0,
                                                   odd_decode(given, form)[0])], "Subnormal numbers were set to 0."),
        ("bias-one-too-large", lambda: odd_decode(given, form, bias=1),
         "The bias was 2^(exponent_bits - 1); it is one less."),
        ("no-infinity-and-nan", lambda: odd_decode(given, form, special=False),
         "The largest exponent was taken for an ordinary one."),
        ("sign-ignored", lambda: odd_decode(given, form, signed=False), "The sign bit was ignored."),
        ("infinities-where-there-are-none" if not form[2] else "no-infinity-and-nan",
         lambda: odd_decode(given, other),
         "This format has no infinities: with the largest exponent only all ones are nan, so that it reaches 448 "
         "and not 240." if not form[2] else "Infinity, and nan with other mantissas than all ones, were taken for numbers."),
    ]
    call = Call("decode_float", (given, *form[:2]) if form[2] else (given, *form))
    return Case(DECODE, group, (call,), Parts({"the numbers": right}, wrong))


def odd_round(x: Tensor, form: Format, largest: float, *, integer: Callable[[Tensor], Tensor] = torch.round,
              floor: bool = True, shift: int = 0, beyond: float | None = None, cut: bool = True) -> Made:
    """round_float with one thing done differently. floor: the step stops shrinking at the smallest exponent."""
    wide = x.double().clamp(-largest, largest) if cut else x.double().clamp(-1e30, 1e30)
    e = torch.frexp(wide).exponent - 1
    e = e.clamp(min=2 - 2 ** (form[0] - 1)) if floor else e
    steps = torch.exp2((e - form[1] + shift).double())
    value = (integer(wide / steps) * steps).float()
    if beyond is not None:
        value = torch.where(value.abs() > largest, x.sign() * beyond, value)
        value = torch.where(x.abs() > largest, x.sign() * beyond, value)
    return [torch.where(x.isnan(), torch.nan, value)]


def round_case(group: str, values: Sequence[float], form: Format) -> Case:
    """One call for these numbers, as float32."""
    x = torch.tensor(values)
    largest = max(value for value, _ in all_numbers(*form))
    right = torch.tensor([rounded(value, form) for value in x.tolist()])
    smallest = 2.0 ** (2 - 2 ** (form[0] - 1))
    wrong: list[Mistake] = [
        ("truncates", lambda: odd_round(x, form, largest, integer=torch.trunc),
         "The mantissa was cut off. Round to the nearest."),
        ("ties-not-to-even", lambda: odd_round(x, form, largest,
                                               integer=lambda v: v.sign() * (v.abs() + 0.5).floor()),
         "Ties were rounded away from 0. They go to the even mantissa."),
        ("ties-not-to-even", lambda: odd_round(x, form, largest, integer=lambda v: (v + 0.5).floor()),
         "Ties were rounded up. They go to the even mantissa."),
        ("overflows-to-infinity", lambda: odd_round(x, form, largest, beyond=torch.inf),
         f"Numbers beyond {largest:g} became infinite. They become +-{largest:g} (saturation): one infinity in an "
         "activation makes everything after it nan."),
        ("overflows-to-nan", lambda: odd_round(x, form, largest, beyond=torch.nan),
         f"Numbers beyond {largest:g} became nan. They become +-{largest:g} (saturation)."),
        ("no-saturation", lambda: odd_round(x, form, largest, cut=False),
         f"Numbers beyond {largest:g} were rounded to others that the format does not have."),
        ("no-subnormal-numbers", lambda: odd_round(x, form, largest, floor=False),
         "Small numbers were rounded with ever smaller steps. Below the smallest exponent, 1 - bias, the step "
         "stays the same: the exponent has no more room."),
        ("subnormal-flushed", lambda: [torch.where(x.abs() < smallest, 0.0, odd_round(x, form, largest)[0])],
         "Subnormal numbers were set to 0."),
        ("step-off-by-a-factor-of-two", lambda: odd_round(x, form, largest, shift=1),
         "The step is twice what it should be: frexp gives a mantissa from 1/2 to 1, so its exponent is one more."),
        ("step-off-by-a-factor-of-two", lambda: odd_round(x, form, largest, shift=-1),
         "The step is half what it should be."),
        ("nan-lost", lambda: [odd_round(x, form, largest)[0].nan_to_num(0.0)], "nan became 0."),
        ("nan-lost", lambda: [odd_round(x, form, largest)[0].nan_to_num(largest)], "nan became a number."),
    ]
    call = Call("round_float", (x, *form[:2], float(largest)))
    return Case(ROUND, group, (call,), Parts({"the numbers": right}, wrong))


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(63_000 + seed)

    def patterns(low: int, high: int, count: int = 12) -> list[int]:
        return torch.randint(low, high, (count,), generator=generator).tolist()

    def normal(power: int, spread: float, count: int = 24) -> list[float]:
        e = torch.rand(count, generator=generator) * 2 * spread - spread + power
        return (torch.randn(count, generator=generator).sign() * torch.exp2(e)).tolist()

    return [
        decode_case(ORDINARY, [0x3C00, 0xBC00, 0x3555, 0x7BFF, *patterns(0x0400, 0x7C00), *patterns(0x8400, 0xFC00)],
                    HALF),
        decode_case(ORDINARY, [0x3F80, 0xC000, *patterns(0x0080, 0x7F80), *patterns(0x8080, 0xFF80)], BRAIN),
        decode_case(SPECIAL, [0, 1, 0x8001, 0x0400, 0x03FF, *patterns(0, 0x0400)], HALF),
        decode_case(SPECIAL, [1, 0x007F, 0x8055, *patterns(0, 0x80)], BRAIN),
        decode_case(SPECIAL, [0x7C00, 0xFC00, 0x7C01, 0x7E00, 0xFFFF, 0x7BFF], HALF),
        decode_case(SPECIAL, [0x7F80, 0xFF80, 0x7FC0, 0x7F81, 0x3F80], BRAIN),
        decode_case(EIGHT, range(256), E5M2),
        decode_case(EIGHT, range(256), E4M3),
        round_case(NEAREST, normal(0, 6), E4M3),
        round_case(NEAREST, normal(0, 13), E5M2),
        round_case(TIES, [1.0625, 1.1875, -1.0625, 2.125, 2.375, 0.0009765625, 0.0029296875, *normal(-8, 2.5)], E4M3),
        round_case(TIES, [1.125, 1.375, -2.25, 0.0, *normal(-15, 2.0)], E5M2),
        round_case(BEYOND, [448.0, 449.0, -500.0, 1e6, math.inf, -math.inf, math.nan, 440.0, 3.3], E4M3),
        round_case(BEYOND, [57344.0, 60000.0, -1e8, math.inf, math.nan, 50000.0, 0.3], E5M2),
    ]
