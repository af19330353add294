"""Medians, spreads and agreement, as the flat values that results/ keeps."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median, quantiles

from benchmarks.grading_peers.peers import Block
from benchmarks.grading_peers.population import FULL, ZERO, Student

DRAWS = 2000
Points = Mapping[str, Mapping[str, float]]
"""Student -> cell -> points."""


def per_submission(blocks: Sequence[Block]) -> list[float]:
    """Seconds a submission in each block."""
    return [block.seconds / block.students for block in blocks if block.students]


def spread(name: str, blocks: Sequence[Block]) -> dict[str, float]:
    """Median and quartiles of seconds a submission over blocks; means with everything in them, CPU too."""
    found = per_submission(blocks)
    low, high = quantiles(found, n=4, method="inclusive")[::2] if len(found) > 1 else found * 2
    students = sum(block.students for block in blocks)
    seconds = sum(block.seconds for block in blocks)
    return {f"{name}_seconds_median": median(found), f"{name}_seconds_q1": low, f"{name}_seconds_q3": high,
            f"{name}_seconds_mean": seconds / students, f"{name}_per_minute": 60 * students / seconds,
            f"{name}_cpu": sum(block.cpu for block in blocks) / students, f"{name}_n": students}


def ratio(name: str, slow: Sequence[Block], fast: Sequence[Block]) -> dict[str, float]:
    """How many times as many submissions `fast` does: ratio of medians, 95 % by drawing blocks again, ratio of all time."""
    rng = random.Random(0)
    a, b = per_submission(slow), per_submission(fast)
    n = min(len(a), len(b))
    drawn = []
    for _ in range(DRAWS):
        chosen = [rng.randrange(n) for _ in range(n)]  # the same blocks of both: they were graded one after the other
        drawn.append(median(a[i] for i in chosen) / median(b[i] for i in chosen))
    drawn.sort()
    total = sum(x.seconds for x in slow) / sum(x.students for x in slow) / (
        sum(x.seconds for x in fast) / sum(x.students for x in fast))
    return {name: median(a) / median(b), f"{name}_low": drawn[int(0.025 * DRAWS)], f"{name}_high": drawn[int(0.975 * DRAWS)],
            f"{name}_all": total}


def differences(one: Points, other: Points) -> Counter[tuple[str, float, float]]:
    """(cell, points of one, points of the other) -> how often they differ, over the students that both graded."""
    found: Counter[tuple[str, float, float]] = Counter()
    for student in one.keys() & other.keys():
        for cell in one[student].keys() & other[student].keys():
            pair = one[student][cell], other[student][cell]
            if abs(pair[0] - pair[1]) > 1e-9:
                found[cell, *pair] += 1
    return found


def wrong(points: Points, students: Sequence[Student], full: Mapping[str, float]) -> list[tuple[str, str, str, float]]:
    """(student, cell, what it must get, what it got) wherever that is known and was not given."""
    found = []
    for one in students:
        for cell, must in one.truth.items():
            got = points.get(one.name, {}).get(cell)
            if one.name in points and (got is None or (got == full[cell]) != (must == FULL) or (must == ZERO and got)):
                found.append((one.name, cell, must, -1.0 if got is None else got))
    return found


def known(points: Points, students: Sequence[Student]) -> int:
    """Cells of graded students whose right verdict is known."""
    return sum(len(one.truth) for one in students if one.name in points)
