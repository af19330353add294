"""The beam tree's search in JavaScript against the course's `beam_search` on a replay of the recorded tree."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from llmlab import models
from tests.book.data import FOLDER, read, script, solved
from tests.book.node import call_figure, planted

SPEC = yaml.safe_load((FOLDER.parent / "_figures" / "beam-tree.yml").read_text(encoding="utf-8"))
KNOBS = {name: knob["values"] for name, knob in SPEC["knobs"].items()}
STATES = [dict(zip(KNOBS, values, strict=True)) for values in product(*KNOBS.values())]
VOCAB, START = 2048, [7]
State = dict[str, Any]
Search = Callable[[str, int, float, int], tuple[list[tuple[float, list[int]]], list[list[str]]]]


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return read("beam.json")


class Replay:
    """A model that says of each recorded prefix what was recorded.

    `asked` holds the prefixes of each call: the live beams.
    """

    def __init__(self, rows: dict[str, torch.Tensor]) -> None:
        self.rows, self.asked = rows, []

    def __call__(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        prefixes = [" ".join(map(str, row[len(START) :])) for row in ids.tolist()]
        self.asked.append(prefixes)
        return torch.stack([self.rows[prefix] for prefix in prefixes])


def whole_row(known: list[list[float]]) -> torch.Tensor:
    """Log-probabilities of all tokens: those that were recorded, and the rest of the mass spread over all others."""
    left = 1 - sum(math.exp(logp) for _, logp in known)
    row = torch.full((VOCAB,), math.log(left / (VOCAB - len(known))), dtype=torch.float64)
    for token, logp in known:
        row[int(token)] = logp
    return row


@pytest.fixture(scope="module")
def search(data: dict[str, Any]) -> Search:
    """search(prompt, beams, alpha, steps): what `beam_search` returns on the replay, and the prefixes it asked for."""
    decoding = solved("decoding")
    rows = {
        name: {prefix: whole_row(known) for prefix, known in prompt["nodes"].items()}
        for name, prompt in data["prompts"].items()
    }

    @functools.cache
    def run(prompt: str, beams: int, alpha: float, steps: int) -> tuple[list[tuple[float, list[int]]], list[list[str]]]:
        model = Replay(rows[prompt])
        found = decoding.beam_search(
            model, START, beams=beams, max_new_tokens=steps, eos_id=data["eos"], length_penalty=alpha
        )
        return found, model.asked

    return run


def run(figure: str | Path, data: dict[str, Any], states: list[State]) -> list[Any]:
    """compute() for each state, each with no more of the data than it needs."""
    slim = {
        name: {"eos": data["eos"], "prompts": {name: {"nodes": data["prompts"][name]["nodes"]}}}
        for name in KNOBS["prompt"]
    }
    return call_figure(figure, "compute", [[slim[state["prompt"]], state] for state in states])


def key(tokens: list[int]) -> str:
    return " ".join(map(str, tokens))


def when_lost(text: list[int], kept: list[set[str]]) -> int:
    """The first step that did not keep this text, 0 if none."""
    return next((t for t in range(1, min(len(text), len(kept)) + 1) if key(text[:t]) not in kept[t - 1]), 0)


def differences(found: list[Any], states: list[State], search: Search) -> set[str]:
    """What the figure gets otherwise than the course does, in words."""
    wrong, penalties = set(), solved("penalties")
    for got, state in zip(found, states, strict=True):
        prompt, beams, alpha, steps = (state[name] for name in ("prompt", "beams", "alpha", "step"))
        best, asked = search(prompt, beams, alpha, steps)
        if [one["path"] for one in got["hypotheses"]] != [tokens for _, tokens in best]:
            wrong.add("hypotheses")
        for one, (score, _) in zip(got["hypotheses"], best, strict=False):
            mine = penalties.length_penalty(one["total"], len(one["path"]), alpha)
            if one["score"] != pytest.approx(score, abs=1e-9) or one["score"] != pytest.approx(mine, abs=1e-9):
                wrong.add("score")
        # What a search keeps at a step is what it asks the model for in its next call.
        kept = [[key(one["path"]) for one in ranked if one["fate"] == "kept"] for ranked in got["steps"]]
        longer = search(prompt, beams, alpha, steps + 1)[1] if steps < max(KNOBS["step"]) else [*asked, kept[-1]]
        if kept != longer[1:]:
            wrong.add("kept")
        greedy = search(prompt, 1, alpha, steps)[0][0][1]
        if got["greedy"]["path"] != greedy:
            wrong.add("greedy")
        ended = [{key(one["path"]) for one in ranked if one["fate"] == "finished"} for ranked in got["steps"]]
        if got["lost"] != when_lost(
            greedy, [alive | done for alive, done in zip(map(set, longer[1:]), ended, strict=True)]
        ):
            wrong.add("lost")
        if any(len(ranked) != 2 * beams for ranked in got["steps"]):
            wrong.add("shown")
    return wrong


def test_the_figure_searches_as_the_course_does(data: dict[str, Any], search: Search) -> None:
    assert len(STATES) >= 300
    found = run("beam-tree", data, STATES)
    assert differences(found, STATES, search) == set()
    fates = {one["fate"] for got in found for ranked in got["steps"] for one in ranked}
    assert fates == {"kept", "finished", "pruned"} and {bool(got["lost"]) for got in found} == {True, False}


@pytest.mark.parametrize(
    ("right", "wrong", "part"),
    [
        ("one.total / one.path.length ** alpha });", "one.total * one.path.length ** alpha });", "score"),
        ("[...done, ...live]", "[...live]", "hypotheses"),
        ("b.total - a.total", "b.logp - a.logp", "TypeError"),
        ("one.token !== eos).slice(0, beams)", "true).slice(0, beams)", "TypeError"),
        ("one.token === eos && rank < beams", "one.token === eos", "hypotheses"),
        ("search(nodes, eos, 1, alpha, step)", "search(nodes, eos, beams, alpha, step)", "greedy"),
        ("indexOf(false) + 1", "indexOf(false)", "lost"),
        ("slice(0, 2 * beams)", "slice(0, 2 * beams - 1)", "shown"),
    ],
)
def test_the_comparison_notices_a_mistake(
    tmp_path: Path, data: dict[str, Any], search: Search, right: str, wrong: str, part: str
) -> None:
    """TypeError: the wrong search asks for a prefix that no search extended, so that nothing was recorded of it."""
    script = planted(tmp_path, "beam-tree", right, wrong)
    states = [state for state in STATES if state["step"] == max(KNOBS["step"])]
    if part == "TypeError":
        with pytest.raises(AssertionError, match=part):
            run(script, data, states)
    else:
        assert part in differences(run(script, data, states), states, search)


def test_the_data_is_what_its_script_writes(data: dict[str, Any]) -> None:
    assert data == json.loads(json.dumps(script("make_beam").make())), "run `python book/_data/make_beam.py`"


def test_the_recorded_tree_gives_what_the_model_itself_gives(data: dict[str, Any]) -> None:
    lm, decoding = models.load("target"), solved("decoding")
    states = [state for state in STATES if state["step"] == 5 and state["alpha"] == 1 and state["beams"] == 3]
    for got, state in zip(run("beam-tree", data, states), states, strict=True):
        prompt = lm.encode(data["prompts"][state["prompt"]]["text"])
        with torch.inference_mode():
            (score, tokens), *_ = decoding.beam_search(
                lm.next_logits,
                prompt,
                beams=state["beams"],
                max_new_tokens=5,
                eos_id=lm.eos_id,
                length_penalty=state["alpha"],
            )
        assert got["hypotheses"][0]["path"] == tokens and got["hypotheses"][0]["score"] == pytest.approx(
            score, abs=1e-5
        )


def test_the_knobs_reach_as_far_as_the_data(data: dict[str, Any]) -> None:
    assert (
        KNOBS["prompt"] == list(data["prompts"])
        and max(KNOBS["beams"]) == data["beams"]
        and max(KNOBS["step"]) == data["steps"]
    )
