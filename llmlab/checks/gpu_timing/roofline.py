"""Checks of roofline_point, mfu and mbu: rates from times, and shares of what a device can do."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction

from llmlab.checks.compare import raises
from llmlab.checks.gpu_timing.numbers import Want
from llmlab.checks.gpu_timing.numbers import judge as judge_numbers
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Call, Case, Event, Output, Task, Verdict

POINT, MFU, MBU = "gpu_timing.roofline_point", "gpu_timing.mfu", "gpu_timing.mbu"
MEMORY, COMPUTE, INVALID = "below the ridge", "at and above the ridge", "invalid arguments"
SHARES = "shares of the peak"
TASKS = (
    Task(POINT, "lab4", "place a measurement on the roofline", {MEMORY: 2, COMPUTE: 1, INVALID: 1},
         "part2/measured.html#sec-measured-roofline"),
    Task(MFU, "lab4", "share of the peak FLOP/s that a forward pass uses", {SHARES: 1, INVALID: 1},
         "part2/measured.html#sec-utilisation"),
    Task(MBU, "lab4", "share of the peak bandwidth that a decoding step uses", {SHARES: 2, INVALID: 1},
         "part2/measured.html#sec-utilisation"),
)
KILO, MS_FOR_S = 1_000, "The milliseconds were used as seconds: the rate is too small by a factor of 1,000."


def point_case(group: str, flops: int, moved: int, ms: float, peak: float, width: float) -> Case:
    """One measurement. The oracle is in fractions."""
    f, b, peaks = Fraction(flops), Fraction(moved), (Fraction(peak), Fraction(width))
    seconds, intensity = Fraction(ms) / KILO, f / b
    slope = intensity * peaks[1]
    memory = slope < peaks[0]
    roof = slope if memory else peaks[0]
    right = {"intensity": float(intensity), "flop_per_s": float(f / seconds), "byte_per_s": float(b / seconds),
             "roof": float(roof), "share": float(f / seconds / roof), "bound": "memory" if memory else "compute"}

    def roofed(other: Fraction) -> dict:
        return {"roof": float(other), "share": float(f / seconds / other)}

    wrong = {
        "milliseconds-for-seconds": ({"flop_per_s": float(f / seconds / KILO), "byte_per_s": float(b / seconds / KILO)},
                                     MS_FOR_S),
        "multiplied-by-thousand": ({"flop_per_s": float(f / seconds * KILO)},
                                   "The rate is too large by a factor of 1,000: that would be microseconds."),
        "intensity-inverted": ({"intensity": float(b / f)}, "That is bytes for each FLOP. Take FLOPs for each byte."),
        "peak-for-roof": (roofed(peaks[0]), "The roof is the lower of the two limits. Below the ridge that is memory: "
                                            "intensity * peak_byte_per_s."),
        "slope-for-roof": (roofed(slope), "The roof is the lower of the two limits. Above the ridge that is the peak."),
        "share-of-peak": ({"share": float(f / seconds / peaks[0])},
                          "That is the share of the peak. The share of the roof at this intensity is asked for."),
        "share-in-percent": ({"share": float(100 * f / seconds / roof)}, "That is in percent. Return 0.4 for 40 %."),
        "bound-swapped": ({"bound": "compute" if memory else "memory"},
                          "Below the ridge memory is the limit, at and above it compute."),
        "rates-in-tera": ({"flop_per_s": float(f / seconds / 10 ** 12)}, "That is TFLOP/s. Return FLOP/s."),
    }
    call = Call("roofline_point", (flops, moved, ms), {"peak_flop_per_s": peak, "peak_byte_per_s": width})
    return Case(POINT, group, (call,), Want(right, "dict", wrong))


def mfu_case(params: int, tokens: int, ms: float, peak: float) -> Case:
    """One pass."""
    right = Fraction(2) * params * tokens * KILO / Fraction(ms) / Fraction(peak) / 10 ** 12
    wrong = {
        "training-flops": (3 * right, "6 FLOPs for each parameter and token include the backward pass: here 2."),
        "forgets-the-factor-two": (right / 2, "A multiply-add counts 2 FLOPs."),
        "ignores-tokens": (right / tokens, "The tokens of the pass were not counted."),
        "milliseconds-for-seconds": (right / KILO, MS_FOR_S),
        "tebi-for-tera": (right * Fraction(10 ** 12, 2 ** 40), "1 TFLOP is 10**12 FLOP, not 2**40."),
        "share-in-percent": (100 * right, "That is in percent. Return 0.4 for 40 %."),
        "peak-not-scaled": (right * 10 ** 12, "The peak was taken as FLOP/s. It is given in TFLOP/s."),
        "inverted": (1 / right, "The quotient is upside down: reached over peak."),
    }
    return Case(MFU, SHARES, (Call("mfu", (params, tokens, ms, peak)),), _number(right, wrong))


def mbu_case(params: int, cache: int, ms: float, peak: float) -> Case:
    """One step."""
    right = Fraction(params + cache) * KILO / Fraction(ms) / Fraction(peak) / 10 ** 9
    wrong = {
        "gib-for-gb": (right * Fraction(10 ** 9, 2 ** 30), "Data sheets count 1 GB as 10**9 bytes, not 2**30."),
        "forgets-the-cache": (right * params / (params + cache), "The cached keys and values were not counted."),
        "cache-only": (right * cache / (params + cache), "The parameters were not counted: every step reads them all."),
        "milliseconds-for-seconds": (right / KILO, MS_FOR_S),
        "two-bytes-again": (2 * right, "param_bytes are bytes already, not parameters."),
        "share-in-percent": (100 * right, "That is in percent. Return 0.4 for 40 %."),
        "bits-for-bytes": (8 * right, "The bytes were turned into bits. Bandwidth on data sheets is in bytes."),
        "peak-not-scaled": (right * 10 ** 9, "The peak was taken as byte/s. It is given in GB/s."),
        "inverted": (1 / right, "The quotient is upside down: reached over peak."),
    }
    return Case(MBU, SHARES, (Call("mbu", (params, cache, ms, peak)),), _number(right, wrong))


def _number(right: Fraction, wrong: dict[str, tuple[Fraction, str]]) -> Want:
    return Want({"share": float(right)}, "number",
                {name: ({"share": float(value)}, words) for name, (value, words) in wrong.items()})


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """By the numbers."""
    if isinstance(case.expect, Refuse):
        return raises(outputs[-1], case.expect.kind, case.expect.names)
    return judge_numbers(case.expect, outputs[-1])


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    dice = random.Random(8_500 + seed)
    peak, width = 989e12, 3.35e12
    made = []
    for group, intensity in ((MEMORY, dice.uniform(0.9, 1.1)), (MEMORY, dice.uniform(60, 200)),
                             (COMPUTE, dice.uniform(500, 900))):
        moved = dice.randrange(10 ** 8, 10 ** 9)
        flops = int(moved * intensity)
        best = max(flops / peak, moved / width) * 1e3
        made.append(point_case(group, flops, moved, best * dice.uniform(1.3, 2.5), peak, width))
    made.append(point_case(COMPUTE, 8 * 10 ** 9, 10 ** 9, 2.0, 8e12, 1e12))  # on the ridge exactly
    good = {"peak_flop_per_s": 1e12, "peak_byte_per_s": 1e11}
    for args, kwargs, said in (((1e9, 1e8, 0.0), good, "0.0"), ((1e9, -5.0, 1.0), good, "-5.0"),
                               ((0, 1e8, 1.0), good, "0"),
                               ((1e9, 1e8, 1.0), good | {"peak_byte_per_s": float("nan")}, "nan")):
        made.append(Case(POINT, INVALID, (Call("roofline_point", args, kwargs),), Refuse(said)))
    made += [mfu_case(dice.randrange(10 ** 9, 10 ** 10), dice.randrange(2, 64), dice.uniform(4, 40), 989),
             mfu_case(dice.randrange(10 ** 9, 10 ** 10), dice.randrange(500, 4_000), dice.uniform(40, 400), 312.5)]
    made += [mbu_case(dice.randrange(10 ** 9, 10 ** 10), dice.randrange(10 ** 8, 10 ** 9), dice.uniform(4, 40), width)
             for width in (3350, 2039.5)]
    made += [mbu_case(13 * 10 ** 9, 26 * 10 ** 9, dice.uniform(14, 40), 4800)]
    for ms, said in ((0.0, "0.0"), (-2.5, "-2.5")):
        made += [Case(MFU, INVALID, (Call("mfu", (10 ** 9, 1, ms, 989)),), Refuse(said)),
                 Case(MBU, INVALID, (Call("mbu", (10 ** 9, 0, ms, 3350)),), Refuse(said))]
    return made
