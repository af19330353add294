"""Runs a function of an interactive figure's script under Node, on many settings at once."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

FIGURES = Path(__file__).resolve().parents[2] / "book" / "_static" / "figures"
PROGRAM = """
const [script, name] = process.argv.slice(1), f = require(script)[name];
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map((args) => f(...args))));
"""


def call_figure(figure: str | Path, function: str, cases: Sequence[Sequence[Any]]) -> list[Any]:
    """What `function` of the figure's script (its name, or a file) returns for each list of arguments."""
    if shutil.which("node") is None:
        pytest.skip(
            "no node to run the figure's JavaScript with: install nodejs (Debian: apt-get install nodejs)"
        )
    script = figure if isinstance(figure, Path) else FIGURES / f"{figure}.js"
    run = subprocess.run(
        ["node", "-e", PROGRAM, "--", str(script), function],
        input=json.dumps(list(cases)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


def planted(folder: Path, figure: str, right: str, wrong: str) -> Path:
    """A copy of the figure's script with one mistake: `right`, which it has exactly once, replaced by `wrong`."""
    source = (FIGURES / f"{figure}.js").read_text(encoding="utf-8")
    assert source.count(right) == 1, f"{figure}.js has {right!r} {source.count(right)} times"
    copy = folder / f"{figure}.js"
    copy.write_text(source.replace(right, wrong), encoding="utf-8")
    return copy
