"""What students get: built from the real package, scanned, installable; refused when an answer is in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from llmlab._finder import LAB_MODULES, LABS
from llmlab.grading import artefact, leaks
from llmlab.grading.course import Course, CourseError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def real_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the package as it is."""
    return artefact.build_wheel(Course(ROOT), tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def secrets() -> list[leaks.Answer]:
    """The answers to look for: found once, since that reads every solution, mutant and check."""
    return leaks.answers(ROOT / "solutions", ROOT / "llmlab" / "checks")


@pytest.fixture
def small(tmp_path: Path, secrets: list[leaks.Answer], monkeypatch: pytest.MonkeyPatch) -> Course:
    """A course of one small module, with a release, and the real solutions to look for."""
    monkeypatch.setattr(leaks, "answers", lambda *_: secrets)
    for folder in ("llmlab", "assignments/release/lab1"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copytree(ROOT / "solutions", tmp_path / "solutions", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "llmlab" / "__init__.py").write_text('"""A small package."""\n')
    (tmp_path / "llmlab" / "decoding.py").write_bytes((ROOT / "llmlab" / "decoding.py").read_bytes())
    for name, text in {"lab1.ipynb": '{"cells": []}', "decoding.py": "x = 1\n", "llmlab.toml": ""}.items():
        (tmp_path / "assignments/release/lab1" / name).write_text(text)
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "llmlab"\nversion = "0.1.0"\n[tool.setuptools]\npackages = ["llmlab"]\n'
        '[tool.setuptools.package-data]\nllmlab = ["_labs/*/*"]\n'
    )
    for name in ("README.md", "LICENSE"):
        (tmp_path / name).write_text("text\n")
    return Course(tmp_path)


def test_the_wheel_holds_no_answer(real_wheel: Path, secrets: list[leaks.Answer]) -> None:
    found = leaks.scan(artefact.members(real_wheel), secrets)
    assert [str(leak) for leak in found] == []


def test_the_wheel_holds_the_package_and_nothing_else(real_wheel: Path) -> None:
    names = [name for name in zipfile.ZipFile(real_wheel).namelist() if ".dist-info/" not in name]
    assert all(name.startswith("llmlab/") for name in names)
    assert not [name for name in names if "__pycache__" in name or "solutions" in name or "/." in name]
    wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / "llmlab").rglob("*.py")}
    assert wanted <= set(names)


def test_the_wheel_installs_and_its_lab_modules_refuse_by_name(real_wheel: Path, tmp_path: Path) -> None:
    """Installed somewhere else, run from somewhere else: package data and scaffolds are all there."""
    target = tmp_path / "site"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--target",
            str(target),
            str(real_wheel),
        ],
        check=True,
    )
    code = (
        "import sys, pathlib, torch, llmlab, llmlab.models as models\n"
        "assert pathlib.Path(llmlab.__file__).is_relative_to(sys.argv[1]), llmlab.__file__\n"
        "print(models.load('draft').next_logits(torch.tensor([[1, 2]]), None).shape[0])\n"
        "from llmlab.decoding import greedy\n"
        "try:\n    greedy(torch.zeros(3))\n"
        "except NotImplementedError as error:\n    print(error)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "LLMLAB_CODE"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(target)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**environment, "PYTHONPATH": str(target)},
    )
    assert done.returncode == 0, done.stderr
    rows, refusal = done.stdout.splitlines()
    assert rows == "1"
    assert "decoding.greedy" in refusal


def test_both_files_are_made_and_made_again_alike(small: Course) -> None:
    made, found = artefact.make(small)
    assert found == []
    first = {path.name: path.read_bytes() for path in made}
    again = {path.name: path.read_bytes() for path in artefact.make(small)[0]}
    assert first == again
    names = zipfile.ZipFile(small.root / "dist" / "llmlab-lab1.zip").namelist()
    assert names == [
        "llmlab-lab1/START.txt",
        "llmlab-lab1/lab1/decoding.py",
        "llmlab-lab1/lab1/lab1.ipynb",
        "llmlab-lab1/lab1/llmlab.toml",
        "llmlab-lab1/llmlab-0.1.0-py3-none-any.whl",
    ]
    inside = zipfile.ZipFile(small.root / "dist" / "llmlab-0.1.0-py3-none-any.whl").namelist()
    labs = [name for name in inside if "/_labs/" in name]
    assert labs == ["llmlab/_labs/lab1/lab1.ipynb"], (
        "notebooks for `llmlab start`; modules come from the package"
    )


def test_every_released_lab_has_its_zip_and_a_leak_in_any_of_them_stops_all(small: Course) -> None:
    """Two labs: one wheel with both notebooks, two zips that say how to start theirs; others stay out."""
    other = list(LABS)[1]
    folder = small.assignments / "release" / other
    folder.mkdir()
    cells = [{"cell_type": "markdown", "source": ["# Lab 2: what a token costs\n", "Text."]}]
    (folder / f"{other}.ipynb").write_text(json.dumps({"cells": cells}))
    made, found = artefact.make(small)
    assert found == [] and [path.name for path in made] == [made[0].name, "llmlab-lab1.zip", f"llmlab-{other}.zip"]
    with zipfile.ZipFile(made[0]) as wheel, zipfile.ZipFile(made[2]) as bundle:
        assert sorted(name for name in wheel.namelist() if "/_labs/" in name) == [
            f"llmlab/_labs/{lab}/{lab}.ipynb" for lab in ("lab1", other)]
        start = bundle.read(f"llmlab-{other}/START.txt").decode()
        assert start.startswith("Lab 2: what a token costs\n") and f"llmlab start my-labs {other}" in start
        assert made[0].name in start and not any("lab1/" in name for name in bundle.namelist())
    assert [path.name for path in artefact.make(small, ["lab1"])[0]] == [made[0].name, "llmlab-lab1.zip"]
    solved = (ROOT / "solutions" / "decoding.py").read_text(encoding="utf-8")
    (folder / "extra.py").write_text(solved)
    made, found = artefact.make(small)
    assert made == [] and f"llmlab-{other}.zip!llmlab-{other}/{other}/extra.py" in {leak.file for leak in found}
    assert not list((small.root / "dist").iterdir())


def test_the_book_is_packed_when_it_is_built(small: Course) -> None:
    html = small.root / "_build" / "html"
    html.mkdir(parents=True)
    (html / "index.html").write_text("<p>book</p>")
    artefact.make(small)
    assert (
        "llmlab-lab1/book/index.html" in zipfile.ZipFile(small.root / "dist" / "llmlab-lab1.zip").namelist()
    )


def test_solutions_in_the_package_stop_everything_and_each_is_named(small: Course) -> None:
    """The worst slip: the solution where the scaffold belongs, without its markers. One build for all modules."""
    (small.root / "dist").mkdir()
    (small.root / "dist" / "llmlab-lab1.zip").write_bytes(b"older")
    for module in LAB_MODULES:
        solved = (ROOT / "solutions" / f"{module}.py").read_text(encoding="utf-8")
        for marker in leaks.MARKERS:
            solved = solved.replace(marker, "# kept")
        (small.package / f"{module}.py").write_text(solved, encoding="utf-8")
    made, found = artefact.make(small)
    assert made == []
    for module in LAB_MODULES:
        mine = [leak for leak in found if f"!llmlab/{module}.py" in leak.file]
        assert any(f"solutions/{module}.py" in leak.what for leak in mine), module
    assert not list((small.root / "dist").iterdir()), (
        "an older artefact must not be mistaken for the refused one"
    )


def test_a_build_folder_of_the_past_does_not_come_back(small: Course) -> None:
    old = small.root / "build" / "lib" / "llmlab"
    old.mkdir(parents=True)
    (old / "removed.py").write_text("x = 1\n")
    (wheel, _), _ = artefact.make(small)
    assert "llmlab/removed.py" not in zipfile.ZipFile(wheel).namelist()


def test_no_release_yet_is_said_with_the_command(small: Course) -> None:
    (small.assignments / "release" / "lab1" / "lab1.ipynb").unlink()
    with pytest.raises(CourseError, match="llmlab release lab1"):
        artefact.make(small)


def test_a_package_that_cannot_be_built_is_said(small: Course) -> None:
    (small.root / "pyproject.toml").write_text("[project]\nname = 3\n")
    with pytest.raises(CourseError, match="could not be built"):
        artefact.make(small)
