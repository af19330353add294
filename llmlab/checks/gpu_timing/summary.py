"""Checks of summarise: median and percentiles of times among which there are stragglers."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from fractions import Fraction

from llmlab.checks.compare import raises
from llmlab.checks.gpu_timing.numbers import Want
from llmlab.checks.gpu_timing.numbers import judge as judge_numbers
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Call, Case, Event, Output, Task, Verdict

TASK = "gpu_timing.summarise"
ODD, EVEN, SMALL, INVALID = "an odd number of times", "an even number of times", "very few times", "no time at all"
TASKS = (Task(TASK, "lab4", "median, percentiles and spread of many times", {ODD: 1, EVEN: 1, SMALL: 1, INVALID: 1},
              "part2/timing.html#sec-median"),)


def quantile(values: Sequence[float], q: Fraction) -> float:
    """Oracle, in fractions: the number below which a share q of the way from the smallest to the largest place lies."""
    ordered = sorted(Fraction(value) for value in values)
    whole, part = divmod(q * (len(ordered) - 1), 1)
    above = ordered[min(int(whole) + 1, len(ordered) - 1)]
    return float(ordered[int(whole)] * (1 - part) + above * part)


def want(values: Sequence[float]) -> Want:
    """What summarise must say of these times, and what the usual mistakes make of them."""
    ordered, n = sorted(values), len(values)
    median, p10, p90 = (quantile(values, Fraction(q, 10)) for q in (5, 1, 9))
    mean = math.fsum(values) / n
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / n)
    sample = math.sqrt(deviation ** 2 * n / (n - 1)) if n > 1 else deviation
    right = {"median": median, "p10": p10, "p90": p90, "spread": (p90 - p10) / median}
    wrong = {
        "mean-for-median": ({"median": mean}, "That is the mean: one straggler moves it. The median is asked for."),
        "median-of-unsorted": ({"median": values[n // 2]}, "The middle of the list was taken before it was sorted."),
        "upper-middle-for-median": ({"median": ordered[n // 2]},
                                    "Of an even number of times the median is the mean of the two in the middle."),
        "lower-middle-for-median": ({"median": ordered[(n - 1) // 2]},
                                    "Of an even number of times the median is the mean of the two in the middle."),
        "minimum-for-median": ({"median": ordered[0]}, "That is the shortest time, not the median."),
        "quartiles-for-deciles": ({"p10": quantile(values, Fraction(1, 4)), "p90": quantile(values, Fraction(3, 4))},
                                  "Those are the quartiles; the 10th and 90th percentile are asked for."),
        "extremes-for-percentiles": ({"p10": ordered[0], "p90": ordered[-1]},
                                     "Those are the extremes; the 10th and 90th percentile are asked for."),
        "percentiles-swapped": ({"p10": p90, "p90": p10}, "p10 and p90 are swapped: p10 is the smaller one."),
        "percentiles-not-interpolated": ({"p10": ordered[int(n * 0.1)], "p90": ordered[min(int(n * 0.9), n - 1)]},
                                         "The percentile was taken at place n * q. It lies at (n - 1) * q, between "
                                         "two samples: interpolate."),
        "percentiles-rounded": ({"p10": ordered[round((n - 1) * 0.1)], "p90": ordered[round((n - 1) * 0.9)]},
                                "The place (n - 1) * q was rounded. Interpolate between the two samples beside it."),
        "spread-not-relative": ({"spread": p90 - p10}, "The spread was not divided by the median."),
        "spread-in-percent": ({"spread": 100 * (p90 - p10) / median}, "The spread is in percent. Return a share."),
        "deviation-for-spread": ({"spread": deviation / median},
                                 "A straggler moves the standard deviation. Take (p90 - p10) / median."),
        "deviation-over-mean-for-spread": ({"spread": sample / mean},
                                           "That is the standard deviation over the mean. Take (p90 - p10) / median."),
        "spread-over-mean": ({"spread": (p90 - p10) / mean}, "The spread was divided by the mean, not by the median."),
    }
    return Want(right, "dict", wrong, 1e-4)


def summary_case(group: str, values: list[float]) -> Case:
    """One call."""
    return Case(TASK, group, (Call("summarise", (values,)),), want(values))


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """By the numbers. The tolerance leaves room for single precision."""
    if isinstance(case.expect, Refuse):
        return raises(outputs[-1], case.expect.kind, case.expect.names)
    return judge_numbers(case.expect, outputs[-1])


def times(dice: random.Random, n: int, stragglers: int) -> list[float]:
    """Times around one value, with stragglers, in random order."""
    base = dice.uniform(0.1, 3.0)
    made = [base * dice.uniform(0.97, 1.03) for _ in range(n - stragglers)]
    made += [base * dice.uniform(3, 9) for _ in range(stragglers)]
    dice.shuffle(made)
    return made


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    dice = random.Random(8_300 + seed)
    made = [summary_case(ODD, times(dice, 15, 2)), summary_case(ODD, [3.0, 1.0, 2.0, 9.0, 2.5]),
            summary_case(EVEN, times(dice, 18, 2)), summary_case(EVEN, [1.5, 8.0, 1.0, 1.25]),
            summary_case(SMALL, [dice.uniform(0.1, 2.0)]), summary_case(SMALL, times(dice, 2, 0)),
            summary_case(SMALL, times(dice, 3, 1))]
    for values, said in (([], "[]"), ([1.0, float("nan"), 2.0], "nan"), ([1.0, -0.5], "-0.5"), ([0.0, 1.0], "0.0")):
        made.append(Case(TASK, INVALID, (Call("summarise", (values,)),), Refuse(said)))
    return made
