"""Similarity report: which pairs of a class handed in modules that share more code than chance explains.

A flag for a person, and nothing else. It changes no score and no status; short functions written from the
same contract look alike, and a flag is where to begin reading, never a finding.

Code that is in the scaffold does not count, and code that many students share counts little. Pairs come from
an index of fingerprints, and a fingerprint of many holders gives few of them, so the work grows with the
class, not with its square. It runs no student code.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

from llmlab.grading import scaffold
from llmlab.grading.course import Course, CourseError
from llmlab.grading.fingerprints import fingerprints, runs, tokens
from llmlab.grading.handed_in import MAX_MODULE
from llmlab.grading.ledger import Ledger, write_atomic
from llmlab.grading.places import desk
from llmlab.grading.untrusted import FileProblem, take, text_of

THRESHOLD = 0.6
"""Share from which a pair is listed. On lab 1, copies with other names, order and comments reach 0.9 and
more, and modules written independently stay below 0.4 (`tests/grading/test_similarity.py`).
"""
LEAST = 12
"""A module with fewer fingerprints of its own is too short to say anything about."""
FEW = 20
"""A fingerprint with more holders than this is only followed from each holder to the next two."""
MOST_PAIRS = 500
NOTE = "A flag only: no score depends on it. Read both files before you speak with anybody."

Prints = dict[int, tuple[int, int]]


@dataclass(frozen=True)
class Pair:
    """Two students whose modules are alike. share: of the shorter side's own code, weighted. Lines: "3-9,
    20-24"."""

    a: str
    b: str
    module: str
    share: float
    why: str
    lines_a: str
    lines_b: str


def candidates(holders: dict[int, list[str]]) -> Counter[tuple[str, str]]:
    """Pairs that share fingerprints, and how many of those that were followed."""
    seen: Counter[tuple[str, str]] = Counter()
    for students in holders.values():
        if len(students) <= FEW:
            seen.update(combinations(students, 2))
        else:
            seen.update(zip(students, students[1:], strict=False))
            seen.update(zip(students, students[2:], strict=False))
    return seen


def pairs(module: str, prints: dict[str, Prints], threshold: float = THRESHOLD) -> list[Pair]:
    """The pairs of one module, from the fingerprints of each student; most alike first."""
    prints = {student: mine for student, mine in sorted(prints.items()) if len(mine) >= LEAST}
    holders: dict[int, list[str]] = {}
    for student, mine in prints.items():
        for code in mine:
            holders.setdefault(code, []).append(student)
    rare = max(3.0, 0.05 * len(prints))
    weights = {code: min(1.0, rare / len(students)) for code, students in holders.items()}
    own = {student: sum(weights[code] for code in mine) for student, mine in prints.items()}
    found = []
    for (a, b), count in candidates({c: s for c, s in holders.items() if len(s) > 1}).items():
        if count < LEAST // 2:
            continue
        shared = prints[a].keys() & prints[b].keys()
        share = sum(weights[code] for code in shared) / min(own[a], own[b])
        if share >= threshold and len(shared) >= LEAST:
            lines = [_ranges([side[code] for code in shared]) for side in (prints[a], prints[b])]
            why = f"{len(shared)} of {min(len(prints[a]), len(prints[b]))} fingerprints of the shorter one"
            found.append(Pair(a, b, module, round(share, 3), why, *lines))
    return sorted(found, key=lambda pair: (-pair.share, pair.a, pair.b))


def _ranges(spans: list[tuple[int, int]]) -> str:
    """Lines that spans cover, merged.

    >>> _ranges([(1, 3), (3, 5), (9, 9), (6, 7)])
    '1-7, 9'
    """
    merged: list[list[int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(last, merged[-1][1])
        else:
            merged.append([first, last])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in merged)


def prints_of(sources: Iterator[tuple[str, bytes]], known: frozenset[int]) -> dict[str, Prints]:
    """Student -> fingerprints of what they handed in, beside the `known` runs. Any bytes will do."""
    return {student: fingerprints(text_of(raw)[0], known) for student, raw in sources}


def similarity(lab: str, course: Course, threshold: float = THRESHOLD) -> tuple[Path, list[Pair]]:
    """Compare every module of a lab across the class; write ledger/<lab>/similarity.json and return it.

    Raises CourseError if nothing was taken in yet, or if the threshold is no share.
    """
    if not 0 < threshold <= 1:
        raise CourseError(
            f"The threshold is {threshold}; give a share above 0 and at most 1, such as {THRESHOLD}."
        )
    at = desk(lab, course)
    students = Ledger(at.ledger).students()
    if not students:
        raise CourseError(f"No submission of {lab} was taken in yet. Run `llmlab grade {lab}` first.")
    given = scaffold.scaffolds(course, at.modules)
    found: list[Pair] = []
    for module in at.modules:
        sources = _sources([(one, at.submitted(one) / f"{module}.py") for one in students])
        found += pairs(module, prints_of(sources, frozenset(runs(tokens(given[module])))), threshold)
    found.sort(key=lambda pair: (-pair.share, pair.module, pair.a, pair.b))
    told = {
        "lab": lab,
        "note": NOTE,
        "threshold": threshold,
        "left_out": max(0, len(found) - MOST_PAIRS),
        "pairs": [asdict(pair) for pair in found[:MOST_PAIRS]],
    }
    file = at.ledger / "similarity.json"
    write_atomic(file, (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())
    return file, found[:MOST_PAIRS]


def _sources(files: list[tuple[str, Path]]) -> Iterator[tuple[str, bytes]]:
    for student, file in files:
        try:
            yield student, take(file, MAX_MODULE)
        except FileProblem:
            continue  # not handed in, or nothing that could be read: the grade says so


def report(lab: str, found: list[Pair]) -> str:
    """The pairs in plain text, with the lines on both sides."""
    if not found:
        return f"{lab}: no pair of modules is alike. {NOTE}"
    lines = [f"{lab}: {len(found)} pair{'s' * (len(found) > 1)} to look at. {NOTE}"]
    for pair in found:
        lines += [
            f"{pair.share:4.0%}  {pair.module}.py  {pair.a}  {pair.b}  ({pair.why})",
            f"      {pair.a}: lines {pair.lines_a}",
            f"      {pair.b}: lines {pair.lines_b}",
        ]
    return "\n".join(lines)
