"""Checks of WindowCache: what the new queries get, what is kept, what is counted. The oracle keeps all "
"tokens and slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from llmlab.checks.compare import mutation, raises, value_of
from llmlab.checks.judging import Refuse
from llmlab.checks.kv_cache.stores import differs, shown
from llmlab.checks.protocol import PASS, Case, Do, Event, New, Output, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

TASK = "kv_cache.WindowCache"
SEEN, COUNTED = "what the new queries get", "length and memory"
TASKS = (
    Task(
        TASK,
        "lab3",
        "keep only what a sliding window can still see",
        {SEEN: 4, COUNTED: 2},
        "part3/kv-cache.html#sec-window-cache",
    ),
)
Script = Sequence[tuple[str, tuple]]


@dataclass(frozen=True)
class Rule:
    """How many columns are kept after an append (of the window w), and the odd ways to return and to "
    "count."""

    keep: Callable[[int], int] = lambda w: w - 1
    returned: Callable[[int, int, int], int] = lambda kept, new, w: kept + new
    length_of_kept: bool = False
    from_start: bool = False


WRONG: dict[str, tuple[Rule, str]] = {
    "window-keeps-one-too-many": (
        Rule(lambda w: w),
        "One token too many is kept: with itself, a query sees window tokens, so "
        "window - 1 old ones are needed.",
    ),
    "window-keeps-one-too-few": (
        Rule(lambda w: max(w - 2, 0)),
        "One token too few is kept: window - 1 old ones are needed.",
    ),
    "window-of-one-keeps-all": (
        Rule(lambda w: w - 1 or 10**9),
        "A window of 1 kept everything: x[:, :, -0:] is all of x. Count from the front.",
    ),
    "window-never-forgets": (Rule(lambda w: 10**9), "Nothing was forgotten: the cache grows with the text."),
    "window-cuts-within-a-chunk": (
        Rule(returned=lambda kept, new, w: min(kept + new, w)),
        "Only window columns came back. With several new tokens the first of them looks further back than "
        "the last: return the "
        "kept ones and all the new ones.",
    ),
    "window-returns-kept": (
        Rule(returned=lambda kept, new, w: min(kept + new, w - 1)),
        "What is kept came back. The new queries see the kept tokens and the new ones.",
    ),
    "window-keeps-the-first": (
        Rule(from_start=True),
        "The first tokens were kept. The last ones are needed.",
    ),
    "length-counts-kept": (
        Rule(length_of_kept=True),
        "length() is the number of columns kept. It is the number of tokens seen: positions go on from it.",
    ),
}


def told(script: Script, layers: int, window: int, rule: Rule) -> list[Any]:
    """What each step returns under a rule."""
    seen = [0] * layers
    kept: list[tuple[Tensor, Tensor] | None] = [None] * layers
    out: list[Any] = []
    for method, args in script:
        if method == "append":
            layer, new = args[0], args[1].shape[2]
            old = kept[layer]
            every = (
                args[1:]
                if old is None
                else tuple(torch.cat(pair, 2) for pair in zip(old, args[1:], strict=True))
            )
            size = every[0].shape[2]
            give = rule.returned(size - new, new, window)
            out.append(tuple(t[:, :, size - give :] for t in every))
            keep = min(rule.keep(window), size)
            kept[layer] = tuple(t[:, :, :keep] if rule.from_start else t[:, :, size - keep :] for t in every)
            seen[layer] += new
        elif method == "length":
            layer = args[0] if args else 0
            out.append(
                0 if kept[layer] is None else kept[layer][0].shape[2] if rule.length_of_kept else seen[layer]
            )
        else:
            out.append(sum(t.numel() * t.element_size() for pair in kept if pair for t in pair))
    return out


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Compare step by step, and with each wrong rule where it goes wrong."""
    if isinstance(case.expect, Refuse):
        return raises(outputs[-1], case.expect.kind, case.expect.names)
    bad = value_of(outputs[-1])[1]
    if bad:
        return bad
    right, got = told(*case.expect, Rule()), [output.value for output in outputs[1:]]
    for number, (want, value) in enumerate(zip(right, got, strict=True)):
        said = differs(want, value)
        if said:
            where = f"Step {number + 1}, {case.expect[0][number][0]}"
            for name, (rule, words) in WRONG.items():
                same = told(*case.expect, rule)[: number + 1]
                if differs(right[number], same[-1]) and not any(map(differs, same, got)):
                    return Verdict(False, f"{words} ({where}: {said})", shown(want), shown(value), name)
            return Verdict(False, f"{where}: {said}", shown(want), shown(value))
    return next((mutation(output) for output in outputs if not mutation(output).ok), PASS)


def story(
    generator: torch.Generator,
    group: str,
    layers: int,
    window: int,
    sizes: Sequence[int],
    shape: tuple[int, int, int],
    last: Sequence[tuple[str, tuple]],
) -> Case:
    """Appends of these sizes to all layers, then the last steps."""
    batch, heads, size = shape
    script = [
        ("append", (layer, *(torch.randn(batch, heads, new, size, generator=generator) for _ in range(2))))
        for new in sizes
        for layer in range(layers)
    ] + list(last)
    steps = (
        New("cache", "WindowCache", (layers, window)),
        *(Do("cache", method, args) for method, args in script),
    )
    names = ", ".join(f"{name}({', '.join(map(str, args))})" for name, args in last)
    told = f"{' + '.join(map(str, sizes))} tokens{', ' if names else ''}{names}"
    shown = f"WindowCache({layers}, window={window}): {told}"
    return Case(TASK, group, steps, (script, layers, window), shown)


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(45_000 + seed)

    def made(*args) -> Case:
        return story(generator, *args)

    return [
        made(SEEN, 1, 3, (1, 1, 1, 1, 1), (1, 1, 2), ()),
        made(SEEN, 2, 4, (6, 1, 3, 5, 1), (2, 2, 3), ()),
        made(SEEN, 1, 1, (2, 1, 3), (1, 2, 2), ()),
        made(SEEN, 1, 9, (2, 3), (1, 1, 2), ()),
        made(COUNTED, 2, 3, (1, 5, 2), (2, 1, 4), (("length", (0,)), ("length", (1,)), ("nbytes", ()))),
        made(COUNTED, 1, 8, (3,), (1, 2, 2), (("length", ()),)),
        Case(TASK, COUNTED, (New("cache", "WindowCache", (1, 0)),), Refuse("0")),
    ]
