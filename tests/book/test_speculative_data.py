"""book/_data/speculative*.json: up to date, and decision by decision what the course's own verify does."""

from __future__ import annotations

import json

import pytest
import torch

from tests.book.data import read, script, solved

DATA, REFERENCE = read("speculative.json"), read("speculative_reference.json")


def test_the_files_are_what_the_script_makes():
    made = json.loads(json.dumps([script("make_speculative").make(), script("make_speculative").reference()]))
    assert made == [{key: DATA[key] for key in ("stories", "curve")}, REFERENCE], (
        "run python book/_data/make_speculative.py"
    )


def test_every_step_is_that_of_verify():
    module = solved("speculative")
    for step in [*DATA["stories"].values(), *REFERENCE["steps"]]:
        p, q, u = (torch.tensor([step[key]], dtype=torch.float64) for key in ("p", "q", "uniforms"))
        *decisions, last = step["states"]
        assert module.verify(p, q, torch.tensor([step["drafted"]]), u) == [last["gained"]]
        for state in decisions:
            chance = module.accept_probability(p, torch.nn.functional.pad(q, (0, 0, 0, 1)))[
                0, state["place"], state["token"]
            ]
            assert state["chance"] == pytest.approx(float(chance))
        if last["from"] == "residual":
            assert last["law"] == pytest.approx(
                module.residual(p[0, last["place"]], q[0, last["place"]]).tolist()
            )


def test_every_curve_is_that_of_speedup():
    module = solved("speculative")
    for one in [DATA["curve"], *REFERENCE["curves"]]:
        for point in one["points"]:
            gamma = point["gamma"]
            assert point["tokens"] == pytest.approx(module.expected_tokens(one["alpha"], gamma))
            assert point["speedup"] == pytest.approx(
                module.speedup(one["alpha"], gamma, one["cost"], 1 + gamma * one["verify"])
            )


def test_the_trace_adds_up():
    """Each pass follows the one before; accepted is what has u below min(1, p / q), to the digits kept."""
    seen = set()
    for number, one in enumerate(DATA["trace"]):
        *decisions, last = one["states"]
        accepted = [state for state in decisions if state["accepted"]]
        assert one["gained"] == [*one["drafted"][: len(accepted)], last["word"]]
        seen.add(last["from"])
        for state in decisions:
            assert state["chance"] == pytest.approx(min(1, state["p"] / state["q"]), abs=2e-3)
            assert state["accepted"] == (state["uniform"] < state["chance"])
        if number + 1 < len(DATA["trace"]):
            assert DATA["trace"][number + 1]["before"] == one["before"] + "".join(one["gained"])
    assert seen == {"residual", "target"}


def test_the_stories_show_what_they_are_for():
    ends = {
        name: (len(story["states"]), story["states"][-1]["from"]) for name, story in DATA["stories"].items()
    }
    assert ends == {
        "bonus": (3, "target"),
        "rejected": (3, "residual"),
        "at once": (2, "residual"),
        "equal": (3, "target"),
        "greedy": (3, "residual"),
        "lookup": (3, "residual"),
    }
