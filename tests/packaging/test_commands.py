"""The two commands, the environment script, the steps and CI are wired together as the README says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from tools import env, results, steps

ROOT = Path(__file__).resolve().parents[2]
TARGETS = [
    "help",
    "env",
    "course",
    "test",
    "book",
    "formats",
    "release",
    "class",
    "scaffolds",
    "student",
    "results",
    "models",
    "freeze",
    "clean",
]


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *arguments], cwd=folder, env=clean, capture_output=True, text=True)


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_exists_and_every_file_it_runs(target: str) -> None:
    done = make("-n", target)
    assert done.returncode == 0, done.stderr
    for script in re.findall(r"(?<=\s)\S+/\S+\.py\b", done.stdout):
        assert (ROOT / script).is_file(), f"make {target} runs {script}, which is not there"


def test_help_is_the_default_and_names_every_target() -> None:
    assert make().stdout == make("help").stdout
    listed = re.findall(r"^  make ([a-z]+) ", make("help").stdout, re.MULTILINE)
    assert listed == TARGETS


def test_another_python_can_be_named() -> None:
    assert '"python9.9" tools/env.py' in make("-n", "env", "PYTHON=python9.9").stdout


def test_make_works_in_a_folder_with_spaces(tmp_path: Path) -> None:
    folder = tmp_path / "my course"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "tools").mkdir()
    (folder / "tools" / "env.py").write_text("import pathlib\nprint(pathlib.Path.cwd().name)\n")
    interpreter = folder / "python"
    interpreter.symlink_to(sys.executable)
    assert make("env", f"PYTHON={interpreter}", folder=folder).stdout.strip() == "my course"


def test_ci_runs_both_commands_and_refuses_skips() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    text = script.read_text(encoding="utf-8")
    assert "make test" in text and "make course" in text and "LLMLAB_NO_SKIPS=1" in text


@pytest.mark.parametrize("broken", ["", "env", "test", "course", "student"])
def test_ci_fails_when_one_part_fails(tmp_path: Path, broken: str) -> None:
    """The real script with a make that only records: all is called, and one failure fails the whole."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "make").write_text(f'#!/bin/sh\necho "$1" >> calls\n[ "$1" != "{broken}" ]\n')
    for name in ("chromium", "node", "npm"):
        (tools / name).write_text("#!/bin/sh\n")
    for name in ("make", "chromium", "node", "npm"):
        (tools / name).chmod(0o755)
    done = subprocess.run(
        [str(tmp_path / ".ci" / "run")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
    )
    calls = (tmp_path / "calls").read_text().split()
    assert calls == (["env"] if broken == "env" else ["env", "test", "course", "student"])
    assert (done.returncode != 0) == bool(broken), done.stdout
    assert "=== times" in done.stdout


def test_steps_stop_at_the_first_failure_and_log_the_time(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    monkeypatch.setattr(steps, "TIMES", tmp_path / "_build" / "times.json")
    monkeypatch.setattr(
        steps,
        "STEPS",
        {
            "one": steps.Step("writes", ("-c", "open('made', 'w')"), (("a file", "made"),)),
            "two": steps.Step("fails", ("-c", "raise SystemExit(3)")),
            "three": steps.Step("never runs", ("-c", "open('never', 'w')")),
        },
    )
    assert steps.main(["one", "two", "three"]) == 3
    log = json.loads((tmp_path / "_build" / "times.json").read_text())
    assert {name: entry["exit"] for name, entry in log.items()} == {"one": 0, "two": 3}
    assert not (tmp_path / "never").exists()


def test_a_step_that_ends_well_without_its_result_fails(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    monkeypatch.setattr(steps, "TIMES", tmp_path / "times.json")
    monkeypatch.setattr(
        steps, "STEPS", {"one": steps.Step("makes nothing", ("-c", ""), (("a file", "made"),))}
    )
    assert steps.main(["one"]) == 1
    (tmp_path / "made").touch()
    assert steps.main(["one"]) == 0


def test_an_unknown_step_is_named_with_the_choices(capsys) -> None:
    assert steps.main(["bok"]) == 2
    said = capsys.readouterr().out
    assert "'bok'" in said and "book" in said


def test_what_decides_the_environment(tmp_path: Path) -> None:
    """Any change of an input, the interpreter or the place asks for a new install; no change does not."""
    (tmp_path / "tools").mkdir()
    for name in env.INPUTS:
        (tmp_path / name).write_text("a")
    before = env.fingerprint(tmp_path, "3.11")
    assert env.fingerprint(tmp_path, "3.11") == before
    assert env.fingerprint(tmp_path, "3.12") != before
    for name in env.INPUTS:
        (tmp_path / name).write_text("b")
        assert env.fingerprint(tmp_path, "3.11") != before, name
        (tmp_path / name).write_text("a")
    shutil.copytree(tmp_path, tmp_path.with_name("moved"))
    assert env.fingerprint(tmp_path.with_name("moved"), "3.11") != before


def test_a_python_without_ensurepip_uses_its_pip(monkeypatch) -> None:
    absent = {"ensurepip"}
    monkeypatch.setattr(env.importlib.util, "find_spec", lambda name: None if name in absent else object())
    create, first, main = env.commands(fresh=True)
    assert "--without-pip" in create and first[:4] == [sys.executable, "-m", "pip", "--python"]
    assert main[0] == str(env.python_of(env.VENV))
    absent.add("pip")
    with pytest.raises(env.EnvironmentProblem, match="python3-venv"):
        env.commands(fresh=True)


def test_too_old_a_python_is_said_with_its_version(monkeypatch, capsys) -> None:
    monkeypatch.setattr(env, "OLDEST", (99, 0))
    assert env.main() == 1
    said = capsys.readouterr().err
    assert ".".join(map(str, sys.version_info[:3])) in said and "PYTHON=" in said


def test_progress_names_the_place(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(steps, "TIMES", tmp_path / "times.json")
    console = Console(record=True, width=80, file=(tmp_path / "out").open("w"))
    assert steps.run("one", steps.Step("a short step", ("-c", "")), console, r"\[1/3]") == 0
    text = console.export_text()
    assert "[1/3] one: a short step" in text and "one done" in text


def test_a_measurement_is_a_script_with_a_main_guard(tmp_path: Path, capsys) -> None:
    (tmp_path / "speed.py").write_text('if __name__ == "__main__":\n    pass\n')
    (tmp_path / "helper.py").write_text("x = 1\n")
    assert results.scripts(tmp_path) == ["speed"]
    assert results.main(["no_such"]) == 2
    assert "'no_such'" in capsys.readouterr().out


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_what_the_front_pages_name_is_there(page: str) -> None:
    """Every relative link leads to a file, and every `make TARGET` exists."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / link).exists(), f"{page} links to {link}"
    for target in re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE):
        assert target in TARGETS, f"{page} says make {target}"
