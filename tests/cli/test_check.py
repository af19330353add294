"""`check` and `progress`: the verdicts of an untouched, a half-done and a solved workspace, and what is
remembered of them.
"""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from llmlab._finder import LAB_MODULES, LABS, PACKAGE
from llmlab.checks import registry
from llmlab.cli import names
from llmlab.cli.checking import Checker
from llmlab.grading import variants
from llmlab.harness.spawn import WarmServer

MUTANT = next(one for one in variants.mutants("decoding") if one.name == "top_p_drops_crossing_token")


@pytest.fixture(scope="module", autouse=True)
def made_once():
    """Each command makes the cases and starts a warm process; here both are made once, for the time it
    takes.
    """
    kept, found = {}, pytest.MonkeyPatch()
    for module in LAB_MODULES:
        checks = registry.checks_of(module)
        make = checks.cases
        found.setattr(checks, "cases", lambda seed, m=module, make=make: kept.setdefault((m, seed), make(seed)))
    class Shared(WarmServer):
        """One warm process for all commands of this file: closing it waits until the end."""

        def close(self) -> None:
            return

    shared = Shared()
    found.setattr("llmlab.cli.checking.starter", lambda: shared)
    yield
    found.undo()
    WarmServer.close(shared)


def half_done() -> bytes:
    """The scaffold, with one wrong top_p in it: the code of a mutant without the solution before it."""
    base = variants.solution("decoding")
    return (PACKAGE / "decoding.py").read_bytes() + MUTANT.source.removeprefix(base)


def test_an_untouched_workspace(llmlab, workspace):
    told = llmlab("check")
    points = {module: sum(task.points for task in registry.tasks(module)) for module in LAB_MODULES}
    assert told.code == 1
    for module in LAB_MODULES:
        assert f"0 of {points[module]:g} points" in told.out
        assert str(workspace / f"{module}.py") in told.out
    for task in registry.tasks():
        assert re.search(rf"{re.escape(task.id)} +0/{task.points:g} +not written yet\s+read {re.escape(task.read)}", told.out)


def test_a_half_done_workspace(llmlab, workspace):
    (workspace / "decoding.py").write_bytes(half_done())
    told = llmlab("check", "decoding")
    assert told.code == 1 and "not written yet" in told.out
    assert re.search(r"decoding\.top_p +\d+/\d+ +(partly right|wrong)", told.out)
    assert re.search(r"\n  called +top_p\(", told.out) and "\n  expected  " in told.out
    task = registry.tasks("decoding.top_p")[0]
    assert re.search(rf"\n  read +{re.escape(task.read)}", told.out)
    data = json.loads((workspace / ".llmlab" / "results.json").read_text())
    assert set(data) == {task.id for task in registry.tasks("decoding")}
    assert data["decoding.top_p"]["points"] == task.points > data["decoding.top_p"]["earned"]


def test_a_solved_workspace(llmlab, workspace):
    """Everything right ends with 0. Then progress is full; and stale as soon as the file changes."""
    for module in LAB_MODULES:
        (workspace / f"{module}.py").write_bytes(variants.solution(module))
    told = llmlab("check")
    assert told.code == 0, told.out
    shown = llmlab("progress")
    assert shown.code == 0 and "░" not in shown.out
    points = {
        lab: [sum(task.points for task in registry.tasks(module)) for module in modules] for lab, modules in LABS.items()
    }
    for lab, each in points.items():
        assert re.search(rf"{lab} +█+ +{sum(each):g}/{sum(each):g}", shown.out)
    assert sum(map(sum, points.values())) == sum(task.points for task in registry.tasks())
    with (workspace / "decoding.py").open("a") as file:
        file.write("# one more line\n")
    count = len(registry.tasks("decoding"))
    assert f"stale: {count} of {count} verdicts" in llmlab("progress").out


def test_what_is_not_begun_takes_one_line_once_something_is(llmlab, workspace):
    (workspace / "decoding.py").write_text("import torch\ndef top_p(:\n")
    told = llmlab("check")
    others = [module for module in LAB_MODULES if module != "decoding"]
    assert told.code == 1 and "decoding.py, line 2" in told.out and f"{others[0]}.py (" not in told.out
    assert f"Not begun yet: {', '.join(others)}. `llmlab check {others[0]}`" in told.out


def test_only_a_module_of_a_lab_that_is_in_the_workspace_can_be_missing(llmlab, workspace):
    """One lab's module alone; then its notebook alone beside another lab; and by name a missing file is an error."""
    last = list(LABS)[-1]
    gone = [module for module in LAB_MODULES if module not in LABS[last]]
    for file in [*(workspace / f"{module}.py" for module in gone), *workspace.glob("*.ipynb")]:
        file.unlink()
    for module in LABS[last]:
        (workspace / f"{module}.py").write_bytes(variants.solution(module))
    told = llmlab("check")
    assert told.code == 0 and not any(module in told.out for module in gone) and "issing" not in told.out
    (workspace / "lab1.ipynb").write_text("{}")
    told = llmlab("check")
    files = ", ".join(f"{module}.py" for module in LABS["lab1"])
    assert told.code == 1 and f"Missing: {files} in {workspace}. `llmlab update`" in told.out
    assert llmlab("check", "decoding").code == 2 and llmlab("check", "lab1").code == 2
    assert llmlab("check", last).code == 0


def test_one_task_shows_its_failures_whole_and_a_broken_file_its_line(llmlab, workspace):
    (workspace / "decoding.py").write_text("import torch\ndef top_p(:\n")
    told = llmlab("check", "decoding.top_p")
    assert told.code == 1 and told.out.count("decoding.py, line 2: SyntaxError") >= 1
    assert "file does not run" in told.out and "decoding.top_k " not in told.out


def test_what_a_student_prints_cannot_steer_the_terminal(llmlab, workspace):
    (workspace / "decoding.py").write_text("def top_p(logits, p):\n    print('\\x1b[2J[bold]x[/bold]')\n    raise ValueError('\\x1b]0;[red]y')\n")
    told = llmlab("check", "decoding.top_p")
    assert told.code == 1 and "?[2J[bold]x[/bold]" in told.out and "?]0;[red]y" in told.out
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", told.out)


def test_progress_before_any_check_and_outside(llmlab, workspace, apart, monkeypatch):
    told = llmlab("progress")
    assert told.code == 0 and "not checked yet" in told.out and "Nothing was checked here yet" in told.out
    (workspace / ".llmlab" / "results.json").write_text('{"decoding.top_p": {"earned": "x"}, "a": 3}')
    assert llmlab("progress").code == 0
    (workspace / "decoding.py").unlink()
    assert "decoding.py is missing" in llmlab("progress").out
    monkeypatch.chdir(apart)
    assert llmlab("progress").code == 2


@pytest.mark.parametrize(("argv", "says"), [
    (["decodin"], "no lab module or task 'decodin'. Did you mean 'decoding'?"),
    (["decoding.top_q"], "no task 'decoding.top_q'. Did you mean 'decoding.top_"), (["top_p"], "Did you mean 'decoding.top_p'?"),
    (["lab7"], "Did you mean 'lab"), ([""], "no lab module or task ''"), (["models"], "no lab module or task 'models'")])
def test_a_wrong_name_gets_one_line_and_2(llmlab, workspace, argv, says):
    told = llmlab("check", *argv)
    assert told.code == 2 and says in told.err and told.err.count("\n") == 1 and told.out == ""


def test_a_missing_file_gets_one_line_and_2(llmlab, workspace):
    (workspace / "decoding.py").unlink()
    told = llmlab("check", "decoding")
    assert told.code == 2 and "llmlab update" in told.err and told.err.count("\n") == 1


@pytest.mark.parametrize(("typed", "means"), [
    (["decoding.py"], {"decoding": []}), (["./work/decoding.py"], {"decoding": []}), (["decoding.top_p"], {"decoding": ["decoding.top_p"]}),
    (["decoding.top_p", "decoding"], {"decoding": []}), (["decoding", "decoding.top_p"], {"decoding": []}),
    ([], {module: [] for module in LAB_MODULES}), (["lab1"], {module: [] for module in names.LABS["lab1"]})])
def test_what_may_be_typed(typed, means):
    assert names.expand(typed) == means


def test_the_table_of_labs_agrees_with_the_checks():
    said: dict[str, set[str]] = {}
    for task in registry.tasks():
        said.setdefault(task.lab, set()).add(task.module)
    assert {lab: set(modules) for lab, modules in names.LABS.items()} == said


def test_a_lost_helper_is_one_line(llmlab, workspace, monkeypatch):
    from llmlab.harness.spawn import Closed

    class Lost:
        def close(self): pass

        def start(self): raise Closed("gone")

    monkeypatch.setattr("llmlab.cli.checking.starter", Lost)
    told = llmlab("check", "decoding.top_p")
    assert told.code == 2 and "llmlab doctor" in told.err


def test_a_second_check_of_a_checker_makes_no_cases(workspace, monkeypatch):
    """What makes --watch fast: cases and process are kept."""
    made = []
    checks = importlib.import_module("llmlab.checks.decoding")
    make = checks.cases
    monkeypatch.setattr(checks, "cases", lambda seed: made.append(seed) or make(seed))
    with Checker() as checker:
        for _ in range(2):
            _, report = checker.check("decoding", ["decoding.top_p"])
            assert [task.id for task in report.tasks] == ["decoding.top_p"]
        assert made == [0]


HOSTILE = "open({mark!r}, 'a').write(__name__)\nraise SystemExit('a file of the student was imported')\n"


def test_a_deliberate_error_fails_with_the_solution_beside_it_and_shadowing_files_around(workspace):
    """The real command, as `python -m`, in a folder full of traps; and nothing imports transformers."""
    mark = workspace / "mark"
    for name in ("models", "torch", "random", "numpy", "transformers", "typer", "rich", "watchfiles", "sitecustomize"):
        (workspace / f"{name}.py").write_text(HOSTILE.format(mark=str(mark)))
    for name in ("checks", "harness"):
        (workspace / name).mkdir()
        (workspace / name / "__init__.py").write_text(HOSTILE.format(mark=str(mark)))
    solutions = workspace / "solutions"
    solutions.mkdir()
    (solutions / "decoding.py").write_bytes(variants.solution("decoding"))
    (workspace / "decoding.py").write_text(
        "import random, torch\ntry:\n    from solutions.decoding import top_p\nexcept ImportError:\n"
        "    try:\n        from decoding import top_p\n    except ImportError:\n        def top_p(logits, p):\n            return logits * 0 - 1\n")
    env = {**os.environ, "PYTHONPATH": str(solutions)}
    told = subprocess.run([sys.executable, "-m", "llmlab", "check", "decoding.top_p"], cwd=workspace, env=env, text=True,
                          capture_output=True)
    assert told.returncode == 1, told.stderr
    assert str(workspace / "decoding.py") in told.stdout
    assert re.search(r"decoding\.top_p +[01]/\d", told.stdout) and not mark.exists()


def test_llmlab_code_wins_over_the_solution_in_the_current_folder(llmlab, workspace, apart, monkeypatch):
    bad = apart / "bad"
    bad.mkdir()
    (bad / "decoding.py").write_text("def top_p(logits, p):\n    return 0\n")
    (workspace / "decoding.py").write_bytes(variants.solution("decoding"))
    monkeypatch.setenv("LLMLAB_CODE", str(bad))
    told = llmlab("check", "decoding.top_p")
    assert told.code == 1 and str(bad / "decoding.py") in told.out and "chosen by LLMLAB_CODE" in told.out


def test_a_first_answer_needs_no_transformers(workspace):
    code = ("import sys\nfrom llmlab.cli.app import run\ncode = run(['check', 'decoding.top_p'])\n"
            "print(sorted(m for m in sys.modules if m.partition('.')[0] in ('transformers', 'nbgrader', 'watchfiles')))\nsys.exit(code)")
    told = subprocess.run([sys.executable, "-c", code], cwd=workspace, text=True, capture_output=True)
    assert told.returncode == 1 and told.stdout.endswith("[]\n"), told.stderr


def listens() -> None:
    """A shell starts its background jobs deaf to Ctrl-C, and their children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.skipif(os.name != "posix", reason="sends Ctrl-C as a signal")
def test_watch_checks_again_after_a_save_and_ends_cleanly(workspace):
    """Three saves: a right file, a broken one put in place by rename, and one that disappears."""
    watcher = subprocess.Popen([sys.executable, "-m", "llmlab", "check", "decoding.top_p", "--watch"], cwd=workspace, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
                               preexec_fn=listens)
    seen: list[str] = []

    def until(text: str) -> None:
        while not seen or text not in seen[-1]:
            line = watcher.stdout.readline()
            assert line, f"the watch ended: {''.join(seen)} {watcher.stderr.read()}"
            seen.append(line)

    try:
        until("Watching decoding.py.")
        time.sleep(1)  # the watch is set up just after it says so
        (workspace / "decoding.py").write_bytes(variants.solution("decoding"))
        until("Watching; Ctrl-C ends")
        assert any("1 of 1 task right" in line for line in seen[-8:]), seen
        (workspace / "decoding.tmp").write_text("def top_p(:\n")
        (workspace / "decoding.tmp").replace(workspace / "decoding.py")
        seen.append("")
        until("Watching; Ctrl-C ends")
        assert any("SyntaxError" in line for line in seen[-16:]), seen
        (workspace / "decoding.py").unlink()
        seen.append("")
        until("Watching; Ctrl-C ends")
        assert any("cannot be read" in line for line in seen[-4:]), seen
        watcher.send_signal(signal.SIGINT)
        out, err = watcher.communicate(timeout=60)
        assert (watcher.returncode, err) == (0, "") and "Stopped watching." in out
    finally:
        watcher.kill()
        watcher.communicate()
