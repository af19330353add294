"""How the command speaks: help that teaches, one line for every mistake, nothing a terminal obeys, and no
torch where none is needed.
"""

import os
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from llmlab.cli.app import app

COMMANDS = ["start", "update", "check", "where", "progress", "submit", "doctor", "release", "grade", "feedback", "export"]
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def test_alone_it_shows_its_help_and_a_first_day():
    told = CliRunner().invoke(app, [])
    assert told.exit_code == 0 and all(command in told.output for command in (*COMMANDS, "llmlab start my-labs"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_an_example_on_a_line_of_its_own(command):
    told = CliRunner().invoke(app, [command, "--help"])
    assert told.exit_code == 0 and re.search(rf"^ *(LLMLAB_CODE=\S+ )?llmlab {command}( |$)", told.output, re.MULTILINE)


@pytest.mark.parametrize(("argv", "says"), [
    (["chekc"], "No such command 'chekc'. Did you mean 'check'?"), (["start"], "Missing argument 'DIR'"),
    (["check", "--wach"], "No such option: --wach"), (["submit", "lab1", "x"], "unexpected extra argument"),
    (["submit", "lba1"], "Did you mean 'lab1'?"), (["grade", "lab1", "--inbox", "no/such"], "--inbox 'no/such': there is no such folder"),
    (["grade", "lab1", "--course", "no/such"], "--course 'no/such': there is no such folder"),
    (["export", "lab1", "--course", "/"], "not a course repository"), (["update"], "llmlab start DIR"),
    (["start", "\0"], "")])
def test_a_mistake_is_one_line_on_stderr_and_2(llmlab, argv, says):
    told = llmlab(*argv)
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 1) or argv == ["start", "\0"]
    assert says in told.err and not CONTROL.search(told.err)


def test_a_defect_of_llmlab_is_one_line_too_and_whole_on_request(llmlab, monkeypatch):
    monkeypatch.setattr("llmlab.cli.spoken.where", lambda: 1 / 0)
    told = llmlab("where")
    assert told.code == 3 and "ZeroDivisionError" in told.err and "LLMLAB_DEBUG=1" in told.err and told.err.count("\n") == 1
    monkeypatch.setenv("LLMLAB_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        llmlab("where")


def test_a_full_disk_is_one_line(llmlab, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "/ws/decoding.py")

    monkeypatch.setattr("llmlab.cli.store.write", full)
    told = llmlab("start", "ws")
    assert told.code == 2 and "/ws/decoding.py: No space left on device" in told.err


def test_where_names_file_hash_and_rule(llmlab, workspace, monkeypatch):
    from llmlab._finder import find

    told = llmlab("where")
    assert told.code == 0
    assert f"decoding  {find('decoding').digest()}  {workspace / 'decoding.py'}  (chosen by {workspace / 'llmlab.toml'})" in told.out
    (workspace / "decoding.py").unlink()
    told = llmlab("where")
    assert told.code == 2 and "missing" in told.out and "cannot be read" in told.out
    (workspace / "llmlab.toml").write_text("[workspace")
    assert llmlab("where").code == 2


QUICK = """
import sys
from llmlab.cli.app import run
codes = [run(argv) for argv in ([], ["--help"], ["check", "--help"], ["start", "ws"], ["where"], ["chekc"], ["check", "decodin"])]
import os; os.chdir("ws")
codes += [run(argv) for argv in (["start", "."], ["update"], ["where"], ["submit", "lab1"])]
print(codes, sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "transformers", "nbgrader", "numpy", "watchfiles"}))
"""


def test_help_start_update_where_and_submit_import_no_torch(apart):
    told = subprocess.run([sys.executable, "-c", QUICK], cwd=apart, text=True, capture_output=True)
    assert told.stdout.splitlines()[-1].startswith("[0, 0, 0, 0, 0, 2, 2, 0, 0, 0, ") and told.stdout.endswith(" []\n"), told.stdout


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}, {"COLUMNS": "30"}, {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}])
def test_a_pipe_gets_no_control_characters(workspace, env):
    """Also on a terminal of 30 columns and one that knows only ASCII."""
    code = ("import sys, importlib\nfrom llmlab.cli.app import run\nrun([])\nrun(['where'])\nrun(['submit', 'lab1'])\nrun(['submit', 'x'])\n")
    clean = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "COLUMNS", "NO_COLOR")}
    told = subprocess.run([sys.executable, "-c", code], cwd=workspace, capture_output=True, env=clean | env)
    text = (told.stdout + told.stderr).decode("ascii" if "PYTHONIOENCODING" in env else "utf-8")
    assert "decoding" in text and "Traceback" not in text and not CONTROL.search(text)


def report():
    from llmlab.harness.report import Failure, GroupResult, Report, TaskResult

    bad = Failure("decoding.top_p", "edges", "top_p(x)", "A long message about what went wrong. " * 4, "a", "b", "x", "said")
    groups = (GroupResult("one", 1.0, 2, 2), GroupResult("edges", 2.0, 2, 1, bad))
    return Report("decoding", "/a/decoding.py", "0" * 12, (
        TaskResult("decoding.top_p", "t", "part1/x.html#sec-x", groups, "partial"),
        TaskResult("decoding.top_k", "t", "part1/x.html#sec-y", (GroupResult("one", 1.0, 1, 1),), "ok")))


@pytest.mark.parametrize("width", [24, 40, 79, 100, 200])
def test_a_report_fits_the_terminal_and_colour_follows_it(width):
    import io

    from rich.console import Console

    from llmlab.cli import render

    for colour in (False, True):
        to = Console(file=io.StringIO(), width=width, force_terminal=colour, no_color=not colour, highlight=False)
        render.show(report(), "llmlab.toml", to, verbose=False)
        text = to.file.getvalue()
        bare = re.sub(r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b]*\x1b\\", "", text)  # colours, and links to the book
        assert ("\x1b" in text) == colour
        lines = [line for line in bare.splitlines() if "/a/decoding.py" not in line and "chosen by" not in line]
        assert max(len(line.rstrip()) for line in lines if "llmlab check" not in line) <= width
        flat = " ".join(bare.split())
        assert "1/3" in flat and "partly right" in flat and "1/1" in flat and "2 of 4 points" in flat or width == 24
