"""A story: an object, the methods called on it one after the other, and what each of them must give.

After a call that must raise, the story goes on in the next case of its group: it is the same object, in the
same process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llmlab.checks.compare import raised, show
from llmlab.checks.protocol import PASS, Case, Do, Output, Raised, Returned, Step, Verdict

ANY = object()
"""Stands for "whatever it returns"."""


@dataclass(frozen=True, eq=False)
class Line:
    """One call of a story.

    `want`: what it returns, or ANY. `wrong`: value -> (misconception, words), for values that a known mistake
    leads to;
    `otherwise`: the same for every other value. `refuses`: it must raise one of these kinds, with `names` in
    the message.
    `unordered`: the order of a list plays no part.
    """

    method: str
    args: tuple = ()
    want: Any = ANY
    wrong: Sequence[tuple[Any, str, str]] = ()
    otherwise: tuple[str, str] = ("", "")
    refuses: tuple[str, ...] = ()
    names: str = ""
    unordered: bool = False
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        return f"{self.method}({', '.join(show(arg) for arg in self.args)})"


@dataclass(frozen=True, eq=False)
class Story:
    """The calls of a case; `skip` steps before them only make the objects. `before`: calls of earlier cases."""

    lines: tuple[Line, ...]
    skip: int = 0
    before: tuple[Line, ...] = ()


def told(task: str, group: str, name: str, make: Sequence[Step], lines: Sequence[Line], title: str) -> list[Case]:
    """The cases of a story about the object `name` that the steps `make` make."""
    cases: list[Case] = []
    part: list[Line] = []
    before: list[Line] = []
    for i, line in enumerate(lines):
        part.append(line)
        if line.refuses or i == len(lines) - 1:
            steps = (() if cases else tuple(make)) + tuple(Do(name, one.method, one.args,
                                                              one.kwargs) for one in part)
            text = "; ".join([title, *(one.text() for one in before + part)])
            cases.append(Case(task, group, steps, Story(tuple(part), 0 if cases else len(make), tuple(before)),
                              text if len(text) < 400 else f"{text[:397]}..."))
            before += part
            part = []
    return cases


def judge(story: Story, outputs: Sequence[Output]) -> Verdict:
    """The first call that gives something else decides."""
    for output in outputs[:story.skip]:
        if isinstance(output, Raised):
            return raised(output)
    for i, (line, output) in enumerate(zip(story.lines, outputs[story.skip:])):
        verdict = told_apart(line, output)
        if not verdict.ok:
            after = "; ".join(one.text() for one in (*story.before, *story.lines[:i]))
            return replace(verdict, message=f"{line.text()}{f', after {after},' if after else ''}: "
                                            f"{verdict.message}")
    return PASS


def told_apart(line: Line, output: Output) -> Verdict:
    """The verdict on one call."""
    if line.refuses:
        return refused(line, output)
    if isinstance(output, Raised):
        return raised(output)
    value = output.value
    alike = same_blocks if line.unordered else same
    if line.want is ANY or alike(value, line.want):
        return PASS
    for known, name, words in line.wrong:
        if alike(value, known):
            return Verdict(False, words, show(line.want), show(value), name)
    name, words = line.otherwise
    return Verdict(False, words or "it gave something else.", show(line.want), show(value), name)


def refused(line: Line, output: Output) -> Verdict:
    if isinstance(output, Returned):
        name, words = line.otherwise
        return Verdict(False, words or f"it went through; expected {line.refuses[0]}.", line.refuses[0],
                       show(output.value),
                       name or "accepts-invalid-value")
    if output.kind == "NotImplementedError":
        return raised(output)
    if output.kind not in line.refuses:
        return Verdict(False, f"expected {line.refuses[0]}, but {output.kind} was raised: {output.message}",
                       line.refuses[0],
                       output.kind)
    if line.names not in output.message:
        return Verdict(False, f"{output.kind} is right, but its message should name the value received, "
                              f"{line.names}.",
                       f"{output.kind}: ... {line.names} ...", f"{output.kind}: {output.message}", "unnamed-value")
    return PASS


def same_blocks(value: Any, want: Any) -> bool:
    """Equal as lists of ints in any order; of a snapshot, its free list in any order."""
    if isinstance(want, dict):
        return isinstance(value, dict) and value.keys() == want.keys() and all(
            (same_blocks if key == "free" else same)(value[key], want[key]) for key in want)
    return isinstance(value, list) and all(type(item) is int for item in value) and sorted(value) == sorted(want)


def same(value: Any, want: Any) -> bool:
    """Equal, and of the same kinds: a tuple may come as a list, but no bool or float stands for an int.

    >>> same([1, (2, 3)], [1, [2, 3]]), same(1.0, 1), same(True, 1)
    (True, False, False)
    """
    if isinstance(want, (list, tuple)):
        return isinstance(value, (list, tuple)) and len(value) == len(want) and all(map(same, value, want))
    if isinstance(want, dict):
        return isinstance(value, dict) and value.keys() == want.keys() and all(same(value[k],
                                                                                    want[k]) for k in want)
    return type(value) is type(want) and value == want
