"""The three front doors, the landing page and the README name only commands, options and files that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from llmlab.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("intro", "for-students", "for-instructors", "for-contributors")
DOORS = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", *(f"book/{page}.md" for page in PAGES))
}
PATH = re.compile(r"`((?:book|docs|solutions|assignments|benchmarks|llmlab|tests|tools|\.ci)/[\w./-]*)`")


def wrong_names(text: str) -> list[str]:
    """Files, targets of make, commands of llmlab and test paths in a text that do not exist."""
    commands = {c.name or c.callback.__name__.replace("_", "-") for c in app.registered_commands}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    code = "\n".join(re.findall(r"^```[a-z]*\n(.*?)^```", text, re.M | re.S) + re.findall(r"`([^`\n]+)`", text))
    found = [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    found += [f"make {name}" for name in re.findall(r"^(?:\$ )?make ([a-z]+)", code, re.M) if name not in targets]
    found += [f"llmlab {name}" for name in re.findall(r"^(?:\$ )?llmlab ([a-z-]+)", code, re.M) if name not in commands]
    for line in re.findall(r"^(?:\$ )?(?:pytest|python) (.*)", code, re.M):
        found += [p for p in re.findall(r"[\w./-]+", line) if "/" in p and p[0] != "." and not exists(p)]
    return found


def exists(path: str) -> bool:
    """A file of the repository, or a page of the book without `book/` and `.md`."""
    return (ROOT / path).exists() or (ROOT / "book" / f"{path}.md").exists()


@pytest.mark.parametrize("name", DOORS)
def test_what_a_door_names_is_there(name: str) -> None:
    assert wrong_names(DOORS[name]) == []


def test_wrong_names_are_noticed() -> None:
    block = "$ llmlab fly lab1\n$ pytest tests/none\n$ python book/none.py --only part1/none"
    found = wrong_names(f"Run `make dinner`, see `docs/none.md`.\n```\n{block}\n```\n")
    assert found == ["docs/none.md", "make dinner", "llmlab fly", "tests/none", "book/none.py", "part1/none"]


def test_the_builders_options_are_real() -> None:
    command = [sys.executable, "book/build.py", "--help"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for text in DOORS.values():
        for line in re.findall(r"python book/build\.py ([^`\n]+)", text):
            assert all(option in said for option in re.findall(r"--[\w-]+", line)), line


def test_the_pictures_of_the_readme_are_small_and_say_what_they_show() -> None:
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", DOORS["README.md"])
    assert len(pictures) >= 3
    for alt, file in pictures:
        assert len(alt.split()) > 10, file
        with Image.open(ROOT / file) as image:
            assert 400 <= image.width <= 1800, file
        assert (ROOT / file).stat().st_size < 200_000, file
