"""results/models.json and docs/models.md against the models."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from llmlab.models.loader import WEIGHTS
from llmlab.models.train import probe

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def values():
    return json.loads((ROOT / "results" / "models.json").read_text(encoding="utf-8"))["values"]


@pytest.mark.parametrize("name", ["target", "draft"])
def test_losses_are_those_of_the_manifests(values, name):
    manifest = json.loads((WEIGHTS / name / "manifest.json").read_text(encoding="utf-8"))
    stated = {
        key.removeprefix(f"{name}.loss."): v for key, v in values.items() if key.startswith(f"{name}.loss.")
    }
    assert stated == manifest["loss"]
    assert values[f"{name}.tokens"] == manifest["tokens"]


@pytest.mark.parametrize("name", ["target", "draft"])
def test_probes_come_out_again(values, name, request):
    """Two of the forty may flip where two tokens are nearly equal and another processor rounds otherwise."""
    lm = request.getfixturevalue(name)
    again = {
        "addition.right": probe.arithmetic_right(lm, "+"),
        "translation.right": probe.translation_right(lm),
        "recall.right": probe.recall_right(lm),
        "counting.right": probe.counting_right(lm),
    }
    for key, right in again.items():
        assert abs(right - values[f"{name}.{key}"]) <= 2, key


def test_every_figure_in_the_table_of_the_docs_is_the_measured_one(values):
    rows = re.findall(
        r"^\| (.+?) \| `(\S+)` \| (\S+) \| (\S+) \|$", (ROOT / "docs" / "models.md").read_text(), re.M
    )
    assert len(rows) >= 15
    for _, key, target, draft in rows:
        assert float(target.replace(",", "")) == values[f"target.{key}"], key
        assert float(draft.replace(",", "")) == values[f"draft.{key}"], key


def test_repeated_4grams_by_hand():
    assert probe.repeated_4grams([[1, 2, 3, 4, 1, 2, 3, 4], [5, 6, 7, 8]]) == pytest.approx(1 / 6)
    assert probe.repeated_4grams([[1, 2, 3]]) == 0.0
    assert probe.repeated_4grams([[7] * 10]) == pytest.approx(6 / 7)


def test_continuations_are_greedy_and_end_before_eos(draft):
    import torch

    (ids,) = probe.continued(draft, ["Count: 5, 10,"], 12)
    row = [draft.bos_id, *draft.encode("Count: 5, 10,")]
    for token in ids:
        logits = draft.next_logits(torch.tensor([row]))[0]
        best = logits.topk(2)
        assert token == best.indices[0] or best.values[0] - best.values[1] < 1e-3
        row.append(token)
    banned = probe.continued(draft, ["Count: 5, 10,", "Once upon"], 60, eos=False)
    assert [len(row) for row in banned] == [60, 60] and not any(draft.eos_id in row for row in banned)
