"""Every measured number is quoted in the book or named as evidence, and every quoted one exists.

Only the files that part I quotes; results/models.json belongs to tests/models.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = ("decoding", "sampling", "search")


def measured() -> set[str]:
    """Keys of the committed results, with the name of their file."""
    return {f"{name}.{key}" for name in FILES
            for key in json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))["values"]}


def quoted() -> set[str]:
    """Keys in the prose of the chapters and in the ledger."""
    pages = [*(ROOT / "book" / "part1").glob("*.md"), *(ROOT / "book").glob("*.md"), *(ROOT / "book" / "ledger").glob("*.yml")]
    found = {key for page in pages for key in re.findall(r"\{num\}`([\w.]+)", page.read_text(encoding="utf-8"))}
    for path in (ROOT / "book" / "ledger").glob("part*.yml"):
        for row in yaml.safe_load(path.read_text(encoding="utf-8")):
            found |= set(row["evidence"].get("results", {}))
    return {key for key in found if key.split(".")[0] in FILES}


def test_no_number_is_missing() -> None:
    assert sorted(quoted() - measured()) == []


def test_no_number_is_unused() -> None:
    assert sorted(measured() - quoted()) == []


@pytest.mark.parametrize("name", FILES)
def test_the_origin_names_a_command_that_exists(name: str) -> None:
    origin = json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))["origin"]
    module = re.fullmatch(r"python -m ([\w.]+)", origin["command"])
    assert module is not None, origin["command"]
    source = ROOT / (module[1].replace(".", "/") + ".py")
    assert f'write("{name}", COMMAND, ' in source.read_text(encoding="utf-8")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", origin["date"])
    assert origin["machine"]
