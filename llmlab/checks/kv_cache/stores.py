"""Checks of KVCache: stories of appends, views and truncations beside a plain cache, and the accounting "
"of memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from llmlab.checks.compare import difference, mutation, raises, show, value_of
from llmlab.checks.judging import Refuse
from llmlab.checks.kv_cache.memory import accounts
from llmlab.checks.kv_cache.plain import BUGS, Store
from llmlab.checks.protocol import PASS, Case, Do, Event, New, Output, Returned, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

TASK = "kv_cache.KVCache"
APPEND, LAYERS, GROW = "append and view", "several layers and rows", "growth and memory"
CUT, INVALID = "truncate", "invalid values"
TASKS = (
    Task(
        TASK,
        "lab3",
        "keep keys and values of all layers: append, view, grow, truncate",
        {APPEND: 4, LAYERS: 3, GROW: 4, CUT: 4, INVALID: 1},
        "part3/kv-cache.html#sec-cache-class",
    ),
)


@dataclass(frozen=True, eq=False)
class Told:
    """A story: what each step must return. `pairs` of steps are (keys, values); None: not looked at.

    `script` is the story as (method, arguments), to be run again on caches with bugs.
    """

    layers: int
    capacity: int
    script: tuple[tuple[str, tuple], ...]
    memory: bool = False

    def outcome(self, bug: str = "") -> list[Any]:
        """What a cache with this bug returns, step by step; a bug that fails ends the list."""
        store, values = Store(self.layers, self.capacity, bug), []
        for method, args in self.script:
            try:
                values.append(getattr(store, method)(*args) if method not in ("capacity", "nbytes") else None)
            except (RuntimeError, IndexError):
                break
        return values


class Teller:
    """Writes a story down."""

    def __init__(
        self,
        generator: torch.Generator,
        layers: int,
        capacity: int = 16,
        shape: tuple[int, int, int] = (1, 1, 2),
        dtype: torch.dtype = torch.float32,
    ):
        self.generator, self.layers, self.capacity, self.shape, self.dtype = (
            generator,
            layers,
            capacity,
            shape,
            dtype,
        )
        self.script: list[tuple[str, tuple]] = []

    def drawn(self, tokens: int) -> Tensor:
        batch, heads, size = self.shape
        return torch.randn(batch, heads, tokens, size, generator=self.generator).to(self.dtype)

    def append(self, tokens: int, *layers: int) -> Teller:
        """Append random tokens to these layers (default: all), one after the other."""
        for layer in layers or range(self.layers):
            self.script.append(("append", (layer, self.drawn(tokens), self.drawn(tokens))))
        return self

    def do(self, method: str, *args: int) -> Teller:
        self.script.append((method, args))
        return self

    def case(self, group: str, label: str = "", memory: bool = False) -> Case:
        made = New("cache", "KVCache", (self.layers, self.capacity))
        steps = (made, *(Do("cache", method, args) for method, args in self.script))
        short = {"append": lambda a: f"append({a[0]}, {a[1].shape[2]} tokens)"}
        told = ", ".join(
            short.get(name, lambda a, name=name: f"{name}({', '.join(map(str, a))})")(args)
            for name, args in self.script[:12]
        )
        more = ", ..." if len(self.script) > 12 else ""
        text = f"KVCache({self.layers}, {self.capacity}): {told}{more}{label and f'  # {label}'}"
        return Case(TASK, group, steps, Told(self.layers, self.capacity, tuple(self.script), memory), text)


def differs(want: Any, got: Any) -> str:
    """Empty if a step returned what it should."""
    if want is None:
        return ""
    if isinstance(want, int):
        return "" if type(got) is int and got == want else f"expected {want}, got {show(got)}"
    if not isinstance(got, tuple | list) or len(got) != 2:
        return f"expected (keys, values), got {show(got)}"
    for name, a, b in zip(("keys", "values"), want, got, strict=True):
        said = difference(a, b, 0.0)
        if said:
            return f"{name}: {said}"
        if a.dtype != b.dtype:
            return f"{name}: expected dtype {a.dtype}, got {b.dtype}"
    return ""


def shown(value: Any) -> str:
    """A pair by its keys."""
    return f"keys {show(value[0])}" if isinstance(value, tuple | list) and len(value) == 2 else show(value)


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Compare step by step; where a story goes wrong, look for the bug that tells the same."""
    last, story = outputs[-1], case.expect
    if isinstance(story, Refuse):
        return raises(last, story.kind, story.names)
    bad = value_of(last)[1]
    if bad:
        return lost(story, outputs, bad)
    right, got = story.outcome(), [output.value for output in outputs[1:]]
    for number, (want, value) in enumerate(zip(right, got, strict=True)):
        said = differs(want, value)
        if said:
            return named(story, number, right, got, said)
    for output in outputs:
        if not mutation(output).ok:
            return mutation(output)
    return accounts(story.script, story.layers, story.capacity, got) if story.memory else PASS


def lost(story: Told, outputs: Sequence[Output], bad: Verdict) -> Verdict:
    """A story that ended in an exception: perhaps a bug's, which fails at the same step."""
    got = [output.value for output in outputs[1:] if isinstance(output, Returned)]
    for bug, words in BUGS.items():
        told = story.outcome(bug)
        if (
            bad.misconception != "not-written"
            and len(told) == len(got) < len(story.script)
            and not any(map(differs, told, got))
        ):
            return Verdict(False, f"{words} ({bad.message})", got=bad.got, misconception=bug)
    return bad


def named(story: Told, number: int, right: list, got: list, said: str) -> Verdict:
    """The verdict on the first wrong step."""
    method, args = story.script[number]
    where = f"Step {number + 1}, {method}({', '.join(str(a) if isinstance(a, int) else '...' for a in args)})"
    for bug, words in BUGS.items():
        told = story.outcome(bug)[: number + 1]
        if len(told) == number + 1 and differs(right[number], told[-1]) and not any(map(differs, told, got)):
            return Verdict(False, f"{words} ({where}: {said})", shown(right[number]), shown(got[number]), bug)
    bug = by_look(story, number, right[number], got[number])
    return Verdict(
        False,
        f"{BUGS[bug] if bug else 'The cache returned something else.'} ({where}: {said})",
        shown(right[number]),
        shown(got[number]),
        bug,
    )


def by_look(story: Told, number: int, want: Any, got: Any) -> str:
    """Mistakes that leave memory as it happens to be: no second cache can tell the same."""
    if not (
        isinstance(want, tuple)
        and isinstance(got, tuple | list)
        and len(got) == 2
        and isinstance(got[0], Tensor)
        and got[0].dim() == 4
    ):
        return ""
    length, seen = want[0].shape[2], got[0].shape[2]
    if (
        seen > length
        and got[0].shape[:2] == want[0].shape[:2]
        and bool((got[0][:, :, :length] == want[0]).all())
    ):
        return "view-shows-empty-room"
    before = [
        args
        for method, args in story.script[: number + 1]
        if method == "append" and args[0] == story.script[number][1][0]
    ]
    new = before[-1][1].shape[2] if before else 0
    same = got[0].shape == want[0].shape
    if (
        same
        and bool((got[0][:, :, length - new :] == want[0][:, :, length - new :]).all())
        and length > story.capacity
    ):
        return "growth-loses-content"
    return ""


def refused(generator: torch.Generator) -> list[Case]:
    """Values that must not go through."""
    start = Teller(generator, 2, 4, (2, 2, 3)).append(3)
    made = [Do("cache", method, args) for method, args in start.script]
    keys, values = start.drawn(1), start.drawn(1)
    new = New("cache", "KVCache", (2, 4))
    bad = [
        ((*made, Do("cache", "truncate", (4,))), "4"),
        ((*made, Do("cache", "truncate", (-1,))), "-1"),
        ((Do("cache", "append", (2, keys, values)),), "2"),
        ((*made, Do("cache", "append", (0, keys, values[:, :, :, :2]))), "2, 2, 1, 2"),
        ((*made, Do("cache", "append", (0, keys[:1], values[:1]))), "1, 2, 1, 3"),
        ((Do("cache", "view", (1,)),), "1"),
    ]
    made = [Case(TASK, INVALID, (new, *steps), Refuse(named)) for steps, named in bad]
    return [
        *made,
        Case(TASK, INVALID, (New("cache", "KVCache", (0,)),), Refuse("0")),
        Case(TASK, INVALID, (New("cache", "KVCache", (2, 0)),), Refuse("0")),
    ]


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(44_000 + seed)

    def teller(*args, **kwargs) -> Teller:
        return Teller(generator, *args, **kwargs)

    made = [
        teller(1).append(3).do("length").append(1).append(2).do("length").do("view", 0).case(APPEND),
        teller(1, 8, (2, 3, 4)).append(1).append(1).append(4).do("view", 0).case(APPEND),
        teller(1, 8, (1, 2, 3), torch.bfloat16).append(2).append(1).case(APPEND, "bfloat16 stays bfloat16"),
    ]
    made += [
        teller(3, 8, (2, 2, 3)).append(3).append(1).do("view", 0).do("view", 2).do("length", 1).case(LAYERS),
        teller(2, 4)
        .append(2, 0)
        .do("length", 1)
        .append(2, 1)
        .append(3, 0)
        .do("length", 1)
        .do("view", 1)
        .append(3, 1)
        .do("view", 0)
        .case(LAYERS, "in a pass, layer 0 is ahead"),
    ]
    story = teller(1, 2, (2, 1, 2))
    for _ in range(7):
        story.append(1)
    made.append(story.do("view", 0).case(GROW, "room for 2, then 7 tokens one by one"))
    made.append(
        teller(2, 4, (1, 2, 3))
        .append(3)
        .append(9)
        .append(2)
        .do("view", 0)
        .do("view", 1)
        .case(GROW, "9 more at once")
    )
    story = teller(1, 3)
    for _ in range(14):
        story.append(1).do("capacity")
    made.append(story.do("nbytes").case(GROW, "14 tokens one by one", memory=True))
    made.append(
        teller(2, 6, (3, 2, 4))
        .append(2)
        .do("capacity", 0)
        .do("capacity", 1)
        .do("nbytes")
        .append(5)
        .do("capacity", 0)
        .do("capacity", 1)
        .do("nbytes")
        .case(GROW, memory=True)
    )
    made.append(
        teller(2, 8)
        .append(5)
        .do("truncate", 3)
        .do("length", 0)
        .do("length", 1)
        .append(1)
        .do("view", 0)
        .do("view", 1)
        .case(CUT, "5 tokens, 2 of them rejected")
    )
    made.append(
        teller(2, 3, (2, 2, 2))
        .append(7)
        .do("truncate", 6)
        .append(4)
        .append(1)
        .do("truncate", 2)
        .append(2)
        .do("view", 1)
        .do("view", 0)
        .case(CUT)
    )
    made.append(
        teller(3, 4)
        .append(6)
        .do("truncate", 6)
        .append(1)
        .do("truncate", 0)
        .do("length", 2)
        .append(2)
        .case(CUT)
    )
    return made + refused(generator)
