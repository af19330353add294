"""The speculative stepper's arithmetic in JavaScript against the course's functions, on the same uniform numbers."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.book.data import read, script, solved
from tests.book.node import call_figure, planted

RULES = ("right", "fresh", "equal", "again")
Pass = dict[str, Any]


def dice(seed: int) -> Callable[[], float]:
    """mulberry32, after its description: 32-bit arithmetic, unsigned."""
    state, word = seed, 0xFFFFFFFF

    def draw() -> float:
        nonlocal state
        state = (state + 0x6D2B79F5) & word
        t = ((state ^ state >> 15) * (state | 1)) & word
        t = (t + (((t ^ t >> 7) * (t | 61)) & word) & word) ^ t
        return (t ^ t >> 14) / 2**32

    return draw


def random_pass(roll: random.Random) -> Pass:
    def law() -> list[float]:
        weights = [roll.choice((0, 1, 2, 3, 5, 8)) for _ in range(roll.randint(3, 3) + 1)]
        return [w / sum(weights) for w in weights] if any(weights) else [0.25] * 4

    gamma = roll.randint(1, 4)
    p, q = [law() for _ in range(gamma + 1)], [law() for _ in range(gamma)]
    drafted = [roll.choice([i for i, x in enumerate(one) if x > 0]) for one in q]
    return {"p": p, "q": q, "drafted": drafted, "uniforms": [roll.random() for _ in range(gamma + 1)]}


def random_cases(count: int = 320) -> list[tuple[Pass, dict[str, Any]]]:
    roll = random.Random(3)
    cases = []
    for _ in range(count):
        one = random_pass(roll)
        state = {
            "rule": roll.choice(RULES),
            "seed": roll.choice((0, 0, 1, 2, 9)),
            "draws": roll.choice((1, 10, 60)),
            "place": roll.randint(0, len(one["q"])),
        }
        cases.append((one, state))
    return cases


def chances(module: Any, rule: str, p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """(V,): with which probability each token stays, if drafted."""
    return module.accept_probability(p, q) if rule in ("right", "fresh") else p


def replacement(module: Any, rule: str, p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return module.residual(p, q) if rule in ("right", "equal") else p


@functools.cache
def everything() -> list[dict[str, Any]]:
    """What the course's functions give for each of the random cases."""
    module = solved("speculative")
    return [expected(module, one, **state) for one, state in random_cases()]


def expected(module: Any, one: Pass, rule: str, seed: int, draws: int, place: int) -> dict[str, Any]:
    """The same from the functions of solutions/speculative.py, a place at a time."""
    law = [torch.tensor(x, dtype=torch.float64) for x in one["p"]]
    guess = [torch.tensor(x, dtype=torch.float64) for x in one["q"]]
    drafted, uniforms = list(one["drafted"]), list(one["uniforms"])

    def draw(probs: torch.Tensor, u: float | torch.Tensor) -> Any:
        u = torch.as_tensor(u, dtype=torch.float64)
        return module.draw(probs.expand(*u.shape, -1), u).tolist()

    if seed:
        roll = dice(seed)
        drafted = [draw(x, roll()) for x in guess]
        uniforms = [roll() for _ in range(len(drafted) + 1)]
    accepted = 0
    while accepted < len(drafted):
        chance = chances(module, rule, law[accepted], guess[accepted])[drafted[accepted]]
        if uniforms[accepted] >= chance:
            break
        accepted += 1
    full = accepted == len(drafted)
    last = law[-1] if full else replacement(module, rule, law[accepted], guess[accepted])
    gained = [*drafted[:accepted], draw(last, uniforms[-1])]

    p, roll = law[place], dice(1000 * (seed + 1) + place)
    if place == len(guess):
        tokens, exact = draw(p, torch.tensor([roll() for _ in range(draws)])), p
    else:
        q = guess[place]
        chance, over = chances(module, rule, p, q), replacement(module, rule, p, q)
        tokens = []
        for _ in range(draws):
            token = draw(q, roll())
            tokens.append(token if roll() < chance[token] else draw(over, roll()))
        through = q * chance
        exact = through + (1 - through.sum()) * over
    counts = torch.bincount(torch.tensor(tokens), minlength=len(p)).double()
    return {
        "drafted": drafted,
        "gained": gained,
        "accepted": accepted,
        "law": exact.tolist(),
        "counts": counts.tolist(),
        "apart": float((counts / draws - p).abs().sum() / 2),
        "bias": float((exact - p).abs().sum() / 2),
    }


def seen(found: dict[str, Any], draws: int) -> dict[str, Any]:
    """The same of what the figure computed."""
    *decisions, last = found["states"]
    assert found["path"][-1][0] == draws and sum(found["counts"]) == draws
    return {
        "drafted": found["drafted"],
        "gained": last["gained"],
        "accepted": sum(one["accepted"] for one in decisions),
        "law": found["law"],
        "counts": found["counts"],
        "apart": found["path"][-1][1],
        "bias": found["bias"],
    }


def agrees(got: dict[str, Any], want: dict[str, Any]) -> bool:
    return all(
        got[key] == (pytest.approx(want[key], abs=1e-12) if key in ("law", "apart", "bias") else want[key])
        for key in want
    )


def test_javascript_agrees_with_the_course() -> None:
    module, cases = solved("speculative"), random_cases()
    for (one, state), found, want in zip(
        cases, call_figure("speculative-stepper", "compute", cases), everything(), strict=True
    ):
        assert agrees(seen(found, state["draws"]), want), (state, want)
        if state["rule"] == "right":
            assert want["bias"] < 1e-12
            if not state["seed"]:  # and the whole pass by `verify` itself
                p, q, u = (torch.tensor([one[key]], dtype=torch.float64) for key in ("p", "q", "uniforms"))
                assert (
                    found["states"][-1]["gained"] == module.verify(p, q, torch.tensor([one["drafted"]]), u)[0]
                )


def test_javascript_tells_the_reference_and_the_recorded_passes() -> None:
    state = {"rule": "right", "seed": 0, "draws": 1, "place": 0}
    steps = [*read("speculative_reference.json")["steps"], *read("speculative.json")["stories"].values()]
    for want, found in zip(
        steps, call_figure("speculative-stepper", "compute", [(one, state) for one in steps]), strict=True
    ):
        assert len(found["states"]) == len(want["states"])
        for got, one in zip(found["states"], want["states"], strict=True):
            assert {**got, "law": None} == {**one, "law": None}
            assert got.get("law") == pytest.approx(one.get("law"))
    trace = read("speculative.json")["trace"]
    cases = [
        (
            {
                "p": [at["p"] for at in one["places"]],
                "q": [at["q"] for at in one["places"] if at["q"]],
                "drafted": one["tokens"],
                "uniforms": one["uniforms"],
            },
            state,
        )
        for one in trace
    ]
    for one, found in zip(trace, call_figure("speculative-stepper", "compute", cases), strict=True):
        words = [one["places"][i]["words"][token] for i, token in enumerate(found["states"][-1]["gained"])]
        assert words == one["gained"]


def test_only_the_right_rule_converges() -> None:
    """100,000 drafts of the chapter's example: the total variation falls below 0.01 for one rule, and for no other."""
    one = read("speculative.json")["stories"]["example"]
    cases = [(one, {"rule": rule, "seed": 0, "draws": 100_000, "place": 0}) for rule in RULES]
    ends = dict(zip(RULES, call_figure("speculative-stepper", "compute", cases), strict=True))
    assert ends["right"]["bias"] < 1e-12 and ends["right"]["path"][-1][1] < 0.01
    for rule in ("fresh", "equal", "again"):
        assert ends[rule]["bias"] > 0.02
        assert ends[rule]["path"][-1][1] == pytest.approx(ends[rule]["bias"], abs=0.01)
    bias = {
        rule: end["bias"] for rule, end in ends.items()
    }  # both mistakes together come nearer than either alone
    assert bias["again"] < min(bias["fresh"], bias["equal"])
    walked = script("make_speculative").walk(*(one[key] for key in ("p", "q", "drafted", "uniforms")))
    assert ends["right"]["states"][-1]["gained"] == walked[-1]["gained"]


@pytest.mark.parametrize(
    ("right", "wrong", "why"),
    [
        ("Math.min(1, p / q), equal", "Math.min(1, q / p), equal", "the ratio is upside down"),
        (
            "one.uniform < one.chance",
            "one.uniform <= 1 - one.chance",
            "the uniform number is read the other way",
        ),
        ("Math.max(x - q[i], 0)", "Math.abs(x - q[i])", "the residual is not clipped"),
        ("over.map((x) => x / sum)", "over", "the residual is not divided"),
        ("if (sum > u) return i;", "if (sum >= u / 2) return i;", "the draw looks at half of the number"),
        (
            "[...states, added(drafted.length",
            "[...states, added(drafted.length - 1",
            "the bonus comes from the last drafted place",
        ),
        ("equal = (p) => p;", "equal = (p, q) => q;", "equal is a chance of q"),
        (
            "next() < chance(p[token]",
            "0.5 < chance(p[token]",
            "the sample accepts without a number of its own",
        ),
        ("x + rest * over[i]", "x + over[i] / 2", "the law forgets how often a token is replaced"),
    ],
)
def test_the_comparison_notices_a_wrong_figure(tmp_path: Path, right: str, wrong: str, why: str) -> None:
    """Negative control: with one mistake planted, some of 60 settings must differ."""
    cases = random_cases()[:60]
    found = call_figure(planted(tmp_path, "speculative-stepper", right, wrong), "compute", cases)
    assert not all(
        agrees(seen(got, state["draws"]), want)
        for (_one, state), got, want in zip(cases, found, everything()[:60], strict=True)
    ), why
