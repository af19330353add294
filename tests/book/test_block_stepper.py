"""The block stepper's own manager in JavaScript against the course's BlockManager, on random sequences of calls."""

from __future__ import annotations

import functools
import random
from pathlib import Path
from typing import Any

import pytest

from tests.book.data import read, solved
from tests.book.node import call_figure, planted

SEQUENCES, LENGTH = 320, 30
Setting = dict[str, Any]


def random_calls(dice: random.Random, length: int = LENGTH) -> list[list[Any]]:
    """Calls on few names and few tokens, so that prefixes meet, pools fill up, and some calls are wrong."""
    calls: list[list[Any]] = []
    for _ in range(length):
        name, other = dice.choice("abcde"), dice.choice("abcdefg")
        method = dice.choices(("add", "append", "fork", "free"), (5, 9, 3, 3))[0]
        match method:
            case "add":
                start = dice.choice(([], [1, 2, 1, 2], [1, 2, 2, 1]))
                calls.append(["add", name, start + [dice.randint(1, 2) for _ in range(dice.randint(0, 5))]])
            case "append":
                calls.append(["append", name, dice.randint(1, 2)])
            case "fork":
                calls.append(["fork", name, other])
            case "free":
                calls.append(["free", name])
    return calls


def random_cases() -> list[tuple[Setting, list[list[Any]]]]:
    dice = random.Random(7)
    return [
        (
            {"blocks": dice.randint(3, 10), "size": dice.randint(1, 4), "caching": dice.random() < 0.7},
            random_calls(dice),
        )
        for _ in range(SEQUENCES)
    ]


@functools.cache
def expected() -> list[list[dict[str, Any]]]:
    """What the course's manager says in each of the random cases."""
    module = solved("paged_cache")
    return [expected_states(module, *case) for case in random_cases()]


def expected_states(module: Any, setting: Setting, calls: list[list[Any]]) -> list[dict[str, Any]]:
    """What the course's manager says after each call: value or kind of refusal, and everything that can be seen."""
    manager = module.BlockManager(
        module.BlockAllocator(setting["blocks"]), setting["size"], setting["caching"]
    )
    states = []
    for method, *args in calls:
        value, refused = None, None
        try:
            value = getattr(manager, method)(*args)
        except module.OutOfBlocks:
            refused = "OutOfBlocks"
        except ValueError:
            refused = "ValueError"
        states.append(
            {
                "value": list(value) if isinstance(value, tuple) else value,
                "refused": refused,
                "cached": sorted(manager._block_of.values()),
                **manager.snapshot(),
            }
        )
    return states


def seen(state: dict[str, Any]) -> dict[str, Any]:
    """The same of a state of the figure."""
    refused = state["refused"] and ("OutOfBlocks" if state["refused"]["refused"] == "full" else "ValueError")
    return {
        "value": state["value"],
        "refused": refused,
        "cached": state["cached"],
        "tables": state["tables"],
        "lengths": {name: len(tokens) for name, tokens in state["tokens"].items()},
        "free": state["free"],
        "counts": state["counts"],
    }


def test_javascript_agrees_with_the_block_manager() -> None:
    cases = random_cases()
    found = call_figure("block-stepper", "compute", cases)
    happened: set[str] = set()
    for (setting, calls), (start, *states), wanted in zip(cases, found, expected(), strict=True):
        assert start["free"] == list(range(setting["blocks"])) and not start["tables"]
        for call, got, want in zip(calls, states, wanted, strict=True):
            assert seen(got) == want, (setting, call)
            for name, table in got["tables"].items():  # every token lies where the table says
                size, tokens = setting["size"], got["tokens"][name]
                held = [got["slots"][table[i // size]][i % size] for i in range(len(tokens))]
                assert held == tokens, (setting, call)
            happened |= {event["kind"] for event in got["events"]}
            happened |= {got["refused"]["refused"]} if got["refused"] else set()
    assert happened == {
        "added",
        "grown",
        "copied",
        "written",
        "forked",
        "freed",
        "evicted",
        "revived",
        "full",
        "empty",
        "known",
        "unknown",
    }


def test_javascript_tells_the_recorded_stories() -> None:
    data = read("blocks.json")
    cases = [(story, [state["call"] for state in story["states"]]) for story in data.values()]
    for story, states in zip(data.values(), call_figure("block-stepper", "compute", cases), strict=True):
        for got, want in zip(states[1:], story["states"], strict=True):
            for key in set(want) - {"event"}:
                assert got[key] == want[key], (story["title"], want["call"], key)
            kinds = {event["kind"] for event in got["events"]}
            for kind, words in (
                ("evicted", "is evicted"),
                ("copied", "copies it"),
                ("grown", "is full"),
                ("freed", "finished"),
            ):
                assert (kind in kinds) == (words in want["event"]), want["call"]


def test_the_chapters_say_what_the_figure_shows() -> None:
    """Who copies in the story of the forks; the hit that is refused at the end of the story of eviction."""
    data = read("blocks.json")
    calls = {name: [state["call"] for state in story["states"]] for name, story in data.items()}
    fork, evict = call_figure(
        "block-stepper",
        "compute",
        [(data["fork"], calls["fork"]), (data["evict"], [*calls["evict"], ["add", "g", [21, 22, 23]]])],
    )
    assert [bool(state["value"]) for state in fork[4:7]] == [True, True, False]
    assert (
        evict[4]["free"] and all(count == 0 for count in evict[4]["counts"]) and len(evict[4]["cached"]) == 2
    )
    assert {event["kind"] for event in evict[5]["events"]} >= {"revived"} and "evicted" in {
        e["kind"] for e in evict[7]["events"]
    }
    end, asked = evict[10], evict[11]
    assert all(end["counts"]) and end["tables"]["f"][0] in end["cached"]
    assert asked["refused"] == {"refused": "full", "need": 1, "left": 0} and asked["counts"] == end["counts"]


@pytest.mark.parametrize(
    ("right", "wrong", "why"),
    [
        ("const block = free.shift();", "const block = free.pop();", "the free list is a stack"),
        (
            "for (const block of [...tables[name]].reverse())",
            "for (const block of [...tables[name]])",
            "the first block is freed first",
        ),
        ("end < text.length && blockOf", "end <= text.length && blockOf", "no token is left to compute"),
        ("counts[last] > 1", "counts[last] > 2", "a shared block is written to"),
        (
            "if (counts[block] === 0) free.push(block);",
            "free.push(block);",
            "a block in use is on the free list",
        ),
        (
            "if (held === block) { blockOf.delete(text);",
            "if (held === block) {",
            "an evicted block is still found",
        ),
        ("tokens.slice(0, end)", "tokens.slice(end - 2, end)", "the key forgets the parent"),
        ("end > first && !blockOf.has(key(text, end))", "end > first", "a known key changes its block"),
        ("end > first && !blockOf.has", "!blockOf.has", "a key that was lost comes back with the next token"),
        ("counts[block] === 0).length", "false).length", "hits that are free count as room"),
    ],
)
def test_the_comparison_notices_a_wrong_manager(tmp_path: Path, right: str, wrong: str, why: str) -> None:
    """Negative control: with one mistake planted, some state must differ from the course's manager."""
    script = planted(tmp_path, "block-stepper", right, wrong)
    found = call_figure(script, "compute", random_cases()[:60])
    assert any(
        seen(got) != want
        for states, wanted in zip(found, expected()[:60], strict=True)
        for got, want in zip(states[1:], wanted, strict=True)
    ), why
