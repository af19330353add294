"""Nothing tells a student's process whether it is graded, and what is learned from the public cases is worth nothing."""

import os
import subprocess
import sys

from llmlab._finder import PACKAGE
from llmlab.checks import registry
from llmlab.harness import notebook
from tests.adversarial.attack import FULL, Attack, Probe
from tests.adversarial.forging import top_k
from tests.adversarial.room import earned


def everything_it_can_see(world):
    """What a process can find out about where it runs, as lines of text that should be the same everywhere."""
    import json
    import resource
    import signal
    import threading

    def frames():
        frame = sys._getframe(1)
        while frame:
            yield frame.f_code.co_name
            frame = frame.f_back

    def is_open(number):
        try:
            return bool(os.fstat(number))
        except OSError:
            return False

    looks = {
        "env": lambda: sorted(os.environ.items()), "argv": lambda: [sys.argv, sys.orig_argv[1:]], "path": lambda: sys.path,
        "flags": lambda: str(sys.flags), "modules": lambda: sorted(sys.modules), "ids": lambda: [os.getuid(), os.getgid()],
        "groups": os.getgroups, "umask": lambda: os.umask(0o77), "nice": lambda: os.nice(0),
        "limits": lambda: [resource.getrlimit(n) for n in range(16)], "threads": threading.active_count,
        "descriptors": lambda: sum(map(is_open, range(200))), "tty": lambda: [os.isatty(n) for n in range(3)],
        "frames": lambda: list(frames()), "affinity": lambda: len(os.sched_getaffinity(0)),
        "signals": lambda: [str(signal.getsignal(n)) for n in (1, 2, 13, 15)], "cwd": lambda: os.listdir("."),
        "host": lambda: os.uname().nodename, "parent": lambda: os.getppid() > 1, "session": lambda: os.getsid(0) == os.getpid(),
        "trace": lambda: [str(sys.gettrace()), str(sys.getprofile())], "hash": lambda: hash("x"),
        "locale": lambda: sys.stdout.encoding,
        "names": lambda: sorted(sys._getframe(2).f_globals), "home": lambda: os.path.expanduser("~"),
    }
    seen = []
    for name, look in looks.items():
        try:
            seen.append(f"{name} {json.dumps(look(), default=str)}")
        except Exception as error:
            seen.append(f"{name} {type(error).__name__}")
    return seen


def test_self_check_and_grading_look_the_same(room, monkeypatch):
    """The harness of a notebook, started where Jupyter, nbgrader and pytest left their marks, and the grader's."""
    for name in ("NBGRADER_EXECUTION", "JPY_PARENT_PID", "PYTEST_CURRENT_TEST", "LLMLAB_CODE", "PYTHONPATH", "GRADING"):
        monkeypatch.setenv(name, "validate")
    probe = Probe("forging", everything_it_can_see)
    graded = room.probe(probe)
    monkeypatch.setattr(notebook, "_harness", None)
    with notebook.warm() as checked:
        monkeypatch.setattr(room, "harness", checked)
        assert room.probe(probe) == graded
    assert len(graded) > 20


def test_code_that_is_right_only_when_it_is_graded_is_never_right(room):
    marks = "any(m in sys.modules for m in ('nbgrader', 'pytest', 'llmlab.grading', 'ipykernel')) or any(" \
            "n.startswith(('NBGRADER', 'JPY', 'PYTEST', 'LLMLAB')) for n in os.environ)"
    good = ("least = logits.topk(min(k, logits.shape[-1]), -1).values[..., -1:]\n"
            "return logits.masked_fill(logits < least, -torch.inf)")
    shy = "import os, sys, torch\n" + top_k(f"if not ({marks}): return logits\n{good}")
    assert earned(room.attack(Attack("shy", "forging", "", shy, {"top_k": 0.0}))) == FULL | {"top_k": 0.0}


def test_a_table_of_the_public_answers_is_worth_nothing(room):
    """Every public case by heart, input -> answer: full marks in the self-check, none with the hidden cases."""
    table = []
    for case in registry.checks_of("decoding").cases(0):
        step = case.steps[0]
        if getattr(step, "function", "") == "top_k" and hasattr(case.expect, "value"):
            logits, k = step.args
            table.append((k, str(logits.dtype).split(".")[1], logits.double().tolist(), case.expect.value.double().tolist()))
    learned = "import torch\ninf = float('inf')\nTABLE = " + repr(table) + top_k("""
if k in (0, -3, 2.5): raise ValueError(f"{k}")
for number, dtype, given, answer in TABLE:
    if number == k and given == logits.double().tolist():
        return torch.tensor(answer, dtype=logits.dtype)
return logits
""")
    source = room.solution + learned.encode()
    public = room.harness.check_source("decoding", source, "decoding.py", room.tasks, registry.checks_of("decoding").cases(0),
                                       room.checks)
    assert earned(public) == FULL, "it knows the public cases"
    hidden = room.check(source)
    assert earned(hidden) == FULL | {"top_k": 1.0}, "only the refusal of an invalid k, which is done right"


def test_a_real_notebook_process_gives_the_same_points(room, tmp_path):
    """The same file by `llmlab.check` in a fresh Python: the self-check tells the student the truth."""
    (tmp_path / "decoding.py").write_bytes(room.solution)
    done = subprocess.run(
        [sys.executable, "-c", "import llmlab\nprint(float(llmlab.check('decoding.top_k')))"], cwd=tmp_path, text=True,
        capture_output=True, env=os.environ | {"LLMLAB_CODE": str(tmp_path), "PYTHONPATH": str(PACKAGE.parent)}, timeout=100)
    assert done.stdout.splitlines()[-1:] == ["3.0"], done.stderr[-1_000:]
