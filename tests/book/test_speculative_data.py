"""book/_data/speculative*.json: up to date, and decision by decision what the course's own verify does."""

from __future__ import annotations

import doctest
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
    """Each pass follows the one before, and `verify` gains the words it names from the numbers it has."""
    module, ends = solved("speculative"), set()
    assert doctest.testmod(script("make_speculative")).failed == 0
    for number, one in enumerate(DATA["trace"]):
        places, u = one["places"], one["uniforms"]
        for at in places:
            assert len(at["p"]) == len(at["words"]) + (2 if at["q"] else 1)
            assert sum(at["p"]) == pytest.approx(1) and (not at["q"] or sum(at["q"]) == pytest.approx(1))
        # the places have words of their own, so each is a batch of one place
        words = []
        for i, token in enumerate(one["tokens"]):
            p, q = (torch.tensor([[places[i][key]]], dtype=torch.float64) for key in ("p", "q"))
            numbers = torch.tensor([[u[i], u[-1]]], dtype=torch.float64)
            gained = module.verify(torch.cat([p, p], 1), q, torch.tensor([[token]]), numbers)[0]
            words.append(places[i]["words"][gained[0]])
            if len(gained) == 1:
                ends.add("residual")
                break
        else:
            last = torch.tensor([places[-1]["p"]], dtype=torch.float64)
            words.append(places[-1]["words"][module.draw(last, torch.tensor(u[-1:])).item()])
            ends.add("target")
        assert one["gained"] == words and one["drafted"][: len(words) - 1] == words[:-1]
        if number + 1 < len(DATA["trace"]):
            assert DATA["trace"][number + 1]["before"] == one["before"] + "".join(one["gained"])
    assert ends == {"residual", "target"}


def test_the_stories_show_what_they_are_for():
    ends = {
        name: (len(story["states"]), story["states"][-1]["from"]) for name, story in DATA["stories"].items()
    }
    assert ends == {
        "example": (2, "residual"),
        "bonus": (3, "target"),
        "rejected": (3, "residual"),
        "at once": (2, "residual"),
        "equal": (3, "target"),
        "greedy": (3, "residual"),
        "lookup": (3, "residual"),
    }
