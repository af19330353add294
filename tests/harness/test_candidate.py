"""What a student's file can do, and what the student is told: values, errors, timeouts, crashes, floods,
side effects.
"""

import os
import sys

import pytest
import torch

from llmlab.checks.judging import Expect, judge
from llmlab.checks.protocol import Call, Case, Do, Handle, Model, New, Returned, Rng, Task
from llmlab.harness.candidate import CACHES
from llmlab.harness.spawn import ENVIRONMENT
from tests.harness.toys import TASK, run_toy, toy_case

HEAD = "import os, sys, time, ctypes, numpy, torch\n"


def f(body: str, before: str = "") -> str:
    """A module with `f(*args, **kwargs)` of this body."""
    return HEAD + before + "\ndef f(*args, **kwargs):\n" + "".join(f"    {line}\n" for line in body.splitlines())


@pytest.mark.parametrize("body", [
    "return torch.tensor(1)", "return numpy.array(1)", "return torch.tensor(1).as_subclass(torch.nn.Parameter)",
    "print('x' * 100_000_000)\nreturn torch.tensor(1)", "sys.stderr.write('warning')\nreturn torch.tensor(1)",
    "os.write(1, b'flood' * 1000)\nreturn torch.tensor(1)", "sys.stdin.read()\nreturn torch.tensor(1)",
    "sys.setrecursionlimit(60)\nreturn torch.tensor(1)", "import warnings\nwarnings.warn('x')\nreturn torch.tensor(1)"])
def test_odd_and_right(toy, body):
    found = toy(f(body))
    assert (found.status, found.earned) == ("ok", 1.0), found.failure and found.failure.text()


@pytest.mark.parametrize(("body", "status", "says"), [
    ("return torch.tensor(2)", "wrong", "expected 1, got 2"),
    ("return None", "wrong", "expected a tensor, got NoneType"),
    ("return object()", "wrong", "a value of type object cannot be read"),
    ("return numpy.array([object()])", "wrong", "dtype object cannot be read"),
    ("return torch.ones(2).to_sparse()", "wrong", "layout torch.sparse_coo"),
    ("x = []\nx.append(x)\nreturn x", "wrong", "nested too deep"),
    ("return f(*args)", "wrong", "RecursionError"),
    ("return 1 / 0", "wrong", r"ZeroDivisionError \(line 4\)"),
    ("sys.exit(0)", "wrong", "SystemExit"),
    ("raise KeyboardInterrupt", "wrong", "KeyboardInterrupt"),
    ("raise NotImplementedError('Lab 1, task decoding.f')", "not-written", "Lab 1, task decoding.f"),
    ("return bytearray(2 ** 36)", "wrong", "MemoryError"),
    ("return torch.zeros(2 ** 40)", "wrong", "allocate"),
    ("os._exit(3)", "crashed", "ended with exit code 3"),
    ("os._exit(0)", "crashed", "ended by itself"),
    ("os.abort()", "crashed", "SIGABRT"),
    ("ctypes.string_at(0)", "crashed", "SIGSEGV"),
    ("os.kill(os.getpid(), 15)", "crashed", "SIGTERM"),
    ("while True: pass", "timeout", "longer than 0.6 s"),
    ("time.sleep(60)", "timeout", "longer than 0.6 s"),
    ("while True: print('flood')", "timeout", "longer than 0.6 s"),
    ("import signal\nsignal.signal(15, signal.SIG_IGN)\nsignal.signal(2, signal.SIG_IGN)\ntime.sleep(60)", "timeout", "longer"),
    ("os.fork() and time.sleep(60)\ntime.sleep(60)", "wrong", "may not write files, start processes")])
def test_wrong_and_told(toy, body, status, says):
    import re

    found = toy(f(body), toy_case(seconds=0.6))
    assert (found.status, found.earned) == (status, 0.0)
    assert re.search(says, found.failure.message), found.failure.message


@pytest.mark.parametrize(("source", "status", "says"), [
    ("def f(:\n", "unreadable", "decoding.py, line 1: SyntaxError"), ("1 / 0\n", "unreadable", "line 1: ZeroDivisionError"),
    ("import no_such_package\n", "unreadable", "ModuleNotFoundError: No module named 'no_such_package'"),
    ("x = 1\n", "wrong", "has no function 'f'. Keep the names of the scaffold"), ("f = 3\n", "wrong", "has no function 'f'"),
    ("raise SystemExit('bye')\n", "unreadable", "SystemExit: bye"), ("\0", "unreadable", "null bytes"),
    ("(" * 10_000, "unreadable", "too many nested|MemoryError|RecursionError"), ("import os\nos._exit(9)\n", "crashed", "exit code 9")])
def test_a_file_that_cannot_be_run_is_told_for_each_group(harness, source, status, says):
    import re

    task = Task("decoding.f", "lab1", "a toy", {"g": 1.0, "h": 2.0}, "part1/start.html#sec-start")
    found = run_toy(harness, source, toy_case(), toy_case(group="h"), task=task)
    assert (found.status, found.earned, len(found.groups)) == (status, 0.0, 2)
    assert all(re.search(says, group.failure.message) for group in found.groups)


def test_a_file_that_hangs_while_it_is_read_is_stopped(toy, monkeypatch):
    monkeypatch.setattr("llmlab.harness.runner.LOAD_SECONDS", 0.5)
    found = toy("while True: pass\n", toy_case(), toy_case())
    assert found.status == "timeout" and "reading the file took longer than 0.5 s" in found.failure.message


def test_what_was_printed_is_shown_and_cut(toy):
    found = toy(f("print('before' + 'x' * 10_000)\nreturn 0"))
    assert found.failure.printed.startswith("beforexxx") and len(found.failure.printed) < 4_100
    assert found.failure.printed.endswith("[output cut here]")


def test_a_timeout_costs_its_group_once_and_the_other_groups_run(harness):
    """Three slow cases in one group wait once; the group after it gets a new process and its points."""
    task = Task("decoding.f", "lab1", "a toy", {"slow": 1.0, "fast": 2.0}, "part1/start.html#sec-start")
    cases = [toy_case(i, group="slow" if i < 3 else "fast", seconds=0.6) for i in range(5)]
    found = run_toy(harness, f("while args[0] < 3: pass\nreturn torch.tensor(1)"), *cases, task=task)
    assert (found.status, found.earned) == ("timeout", 2.0)
    assert [(group.cases, group.passed) for group in found.groups] == [(3, 0), (2, 2)]
    assert found.seconds < 3 * 0.6 + 2


def test_state_lasts_within_a_process_and_a_fresh_case_gets_a_new_one(toy):
    source = f("COUNT.append(1)\nreturn torch.tensor(len(COUNT))", "COUNT = []\n")
    two = torch.tensor(2)
    assert toy(source, toy_case(), toy_case(expect=two)).status == "ok"
    again = Case("decoding.f", "g", (Call("f"),), Expect(torch.tensor(1)), fresh=True)
    assert toy(source, toy_case(), toy_case(expect=two), again).status == "ok"


@pytest.mark.parametrize(("body", "given", "named"), [
    ("args[0].add_(1)", (torch.zeros(2),), "argument 1"), ("args[0][0].mul_(2)", ([torch.ones(2)],), "argument 1"),
    ("args[1].append(3)", (0, [1, 2]), "argument 2"), ("args[0]['b'] = 1", ({"a": 1},), "argument 1"),
    ("args[0]['a'].zero_()", ({"a": torch.ones(1)},), "argument 1"), ("args[0].resize_(1)", (torch.zeros(2),), "argument 1"),
    ("args[0][0] = float('nan')", (torch.zeros(2),), "argument 1")])
def test_a_changed_argument_is_seen(toy, body, given, named):
    found = toy(f(body + "\nreturn torch.tensor(1)"), toy_case(*given))
    assert found.failure.misconception == "changes-its-input" and named in found.failure.message


def test_a_changed_keyword_argument_is_named(toy):
    found = toy(f("kwargs['logits'].neg_()\nreturn torch.tensor(1)"), toy_case(logits=torch.ones(2)))
    assert found.failure.misconception == "changes-its-input" and "logits" in found.failure.message


def test_untouched_arguments_are_not_reported(toy):
    given = (torch.tensor([float("nan"), float("-inf"), -0.0]), [1, [2.0, None]], {"a": (1, torch.ones(2))}, "text", b"x")
    assert toy(f("x = args[0] + 1\nx.add_(1)\nreturn torch.tensor(1)"), toy_case(*given)).status == "ok"


def test_a_generator_is_made_in_the_process_from_its_seed(toy):
    expect = torch.rand(3, generator=torch.Generator().manual_seed(7))
    assert toy(f("return torch.rand(3, generator=args[0])"), toy_case(Rng(7), expect=expect)).status == "ok"


def run_case(harness, source: str, case: Case, sink: list):
    """Check one case and keep what its judge saw."""
    from types import SimpleNamespace

    def keep(case, outputs, events):
        sink.append((outputs, events))
        return judge(case, outputs, events)

    return harness.check_source("decoding", source.encode(), "decoding.py", [TASK], [case], SimpleNamespace(judge=keep)).tasks[0]


def test_objects_live_in_the_process_and_are_named_by_handles(harness):
    source = ("import torch\nclass Box:\n    def __init__(self, n): self.n = n\n    def add(self, k):\n        self.n += k\n"
              "        return self.n\n    def _secret(self): return 1\ndef f(box): return torch.tensor(box.n)\n")
    steps = (New("b", "Box", (3,)), Do("b", "add", (4,)), Call("f", (Handle("b"),)))
    seen: list = []
    case = Case("decoding.f", "g", steps, Expect(torch.tensor(7)))
    assert run_case(harness, source, case, seen).status == "ok"
    assert [output.value if i != 2 else int(output.value) for i, output in enumerate(seen[0][0])] == [None, 7, 7]
    private = Case("decoding.f", "g", (New("b", "Box", (3,)), Do("b", "_secret")), Expect(torch.tensor(1)))
    assert "_secret is private" in run_case(harness, source, private, seen).failure.message


def test_the_steps_after_one_that_raised_are_not_tried(harness):
    source = "def f(x):\n    if x == 1: raise ValueError('one')\n    import torch; return torch.tensor(x)\n"
    seen: list = []
    steps = (Call("f", (0,)), Call("f", (1,)), Call("f", (2,)))
    found = run_case(harness, source, Case("decoding.f", "g", steps, Expect(torch.tensor(2))), seen)
    assert [type(output).__name__ for output in seen[0][0]] == ["Returned", "Raised"]
    assert "ValueError (line 2): one" in found.failure.message


def test_model_calls_cross_and_are_recorded(harness):
    """The candidate sees only values: fn runs here, and each call is an event with its ids and mask."""
    model = Model(lambda ids, mask: (ids * mask).sum(1, keepdim=True).float(), vocab=10)
    seen: list = []
    source = "def f(model):\n    import torch\n    return model(torch.tensor([[1, 2], [3, 4]]), torch.tensor([[0, 1], [1, 1]])) + model(torch.ones(2, 1).long())\n"
    case = Case("decoding.f", "g", (Call("f", (model,)),), Expect(torch.tensor([[3.0], [8.0]])))
    found = run_case(harness, source, case, seen)
    assert found.status == "ok", found.failure.text()
    events = seen[0][1]
    assert [event.kind for event in events] == ["model", "model"]
    assert events[0].data["attention_mask"].tolist() == [[0, 1], [1, 1]]
    assert events[1].data["attention_mask"].tolist() == [[1], [1]]


@pytest.mark.parametrize(("call", "says"), [
    ("model([[1]])", "ids must be a tensor"), ("model(torch.ones(1, 1))", "of int64"), ("model(torch.tensor([1]))", "ids must"),
    ("model(torch.ones(0, 1).long())", "ids must"), ("model(torch.tensor([[10]]))", "lie in 0..9, got 10..10"),
    ("model(torch.tensor([[-1]]))", "lie in 0..9"), ("model(torch.ones(1, 6).long())", "at most 5 columns"),
    ("model(torch.ones(1, 2).long(), torch.ones(2, 2))", "attention_mask must have the shape"),
    ("[model(torch.ones(1, 1).long()) for _ in range(4)]", "called more than 3 times"),
    ("model(torch.ones(2 ** 20, 1).long())", "rows times columns")])
def test_a_wrong_model_call_is_told_in_the_students_process(toy, call, says):
    model = Model(lambda ids, mask: torch.zeros(len(ids), 10), vocab=10, max_calls=3, max_length=5)
    found = toy("import torch\ndef f(model):\n    return " + call + "\n", toy_case(model))
    assert "ValueError (line 3): model:" in found.failure.message and says in found.failure.message


MARKERS = """
return torch.tensor([
    set(os.environ) - {'LC_CTYPE'} == set(%r), 'JPY_PARENT_PID' in os.environ, 'ipykernel' in sys.modules, 'nbgrader' in sys.modules,
    'llmlab.grading' in sys.modules, 'llmlab.harness.runner' in sys.modules, 'pytest' in sys.modules,
    any('grad' in part.lower() or 'test' in part.lower() for part in sys.argv), os.isatty(0), os.isatty(1)])
"""


def test_the_environment_of_a_candidate_shows_no_marker_of_grading(monkeypatch):
    """A warm process started while the marks of nbgrader, Jupyter and pytest are set. Python itself adds
    LC_CTYPE.
    """
    from llmlab.harness.runner import Harness

    for name in ("NBGRADER_EXECUTION", "JPY_PARENT_PID", "PYTEST_CURRENT_TEST", "LLMLAB_CODE", "PYTHONPATH", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, "validate")
    expect = torch.tensor([True] + [False] * 9)
    with Harness() as harness:
        found = run_toy(harness, f(MARKERS.strip() % sorted({*ENVIRONMENT, *CACHES})), toy_case(expect=expect))
    assert found.status == "ok", found.failure.text()


@pytest.mark.skipif(sys.platform != "linux", reason="the warm process is for Linux")
def test_a_candidate_holds_its_channel_and_nothing_else_open(toy):
    """Everything open leads to /dev/null, but for one socket."""
    body = ("import stat\nkinds = []\n"
            "for number in range(1024):\n"
            "    try: found = os.fstat(number)\n"
            "    except OSError: continue\n"
            "    kinds.append('null' if found.st_rdev == os.makedev(1, 3) else 'socket' if stat.S_ISSOCK(found.st_mode) else '?')\n"
            "return torch.tensor([kinds.count('socket'), kinds.count('?')])")
    assert toy(f(body), toy_case(expect=torch.tensor([1, 0]))).status == "ok"


def test_a_candidate_works_in_a_folder_that_imports_nothing(toy):
    body = "return torch.tensor([os.getcwd() == %r, '' in sys.path, os.getcwd() in sys.path])" % os.getcwd()
    assert toy(f(body), toy_case(expect=torch.tensor([False] * 3))).status == "ok"


def test_returned_outputs_know_no_more_than_their_value():
    assert Returned(3).mutated == ()


def counting_cases(count: int, **more) -> list[Case]:
    """Cases that ask for one number after the other: the module keeps count itself."""
    return [Case("decoding.f", "g", (Call("f", (n,)),), Expect(torch.tensor(n)), **more) for n in range(count)]


def test_many_cases_in_one_batch_are_judged_one_by_one(toy):
    wrong_at = "def f(n):\n    print('case', n)\n    return __import__('torch').tensor(n + (n in (20, 41)))\n"
    found = toy(wrong_at, *counting_cases(70))
    assert (found.groups[0].cases, found.groups[0].passed) == (70, 68)
    assert found.failure.show == "f(20)" and found.failure.printed == "case 20\n"


@pytest.mark.parametrize(("body", "status"), [
    ("if n == 9: os._exit(1)", "crashed"), ("while n == 9: pass", "timeout"), ("if n == 9: os.write(3, b'x' * 99)", "crashed"),
    ("if n == 9: raise NotImplementedError('task')", "not-written")])
def test_a_case_that_ends_its_batch_costs_itself_and_the_rest_of_its_group(toy, body, status):
    cases = counting_cases(8, seconds=0.7) + [Case("decoding.f", "h", (Call("f", (n,)),), Expect(torch.tensor(n)), seconds=0.7)
                                              for n in (9, 10)] + counting_cases(12, seconds=0.7)[10:]
    task = Task("decoding.f", "lab1", "a toy", {"g": 1.0, "h": 1.0}, "part1/start.html#sec-start")
    source = HEAD + "for fd in range(3, 9):\n    try: os.dup2(fd, 3); break\n    except OSError: pass\n" if "write" in body else HEAD
    found = toy(source + f"def f(n):\n    {body}\n    return torch.tensor(n)\n", *cases, task=task)
    whole, broken = found.groups
    assert (whole.cases, whole.passed) == (10, 10), whole.failure
    assert (broken.cases, broken.passed) == (2, 0) and broken.failure.show == "f(9)"
    assert broken.failure.misconception == status


def test_slow_code_has_its_full_time_for_each_case(toy, monkeypatch):
    """Together the cases take longer than a batch may."""
    from llmlab.harness import requests

    monkeypatch.setattr(requests, "BATCH_SECONDS", 0.5)
    found = toy("import time, torch\ndef f(n):\n    time.sleep(0.15)\n    return torch.tensor(n)\n", *counting_cases(6, seconds=10))
    assert found.status == "ok"


@pytest.mark.parametrize(("given", "change", "seen"), [
    ([0.5, 0.25], "x.sort()", True), ([0.5, float("nan")], "x.sort", False), ([1, 2], "x.append(3)", True),
    ([[1.5], [2.5]], "x[0].clear()", True), ({"a": [1.0]}, "x['a'].pop()", True), ({"a": "b"}, "x['a'] = 'c'", True),
    ([None, "a"], "x[0] = 'a'", True), ([(1, "a"), (2, "b")], "x.reverse()", True), ([1.0, 2.0], "x[0] = 1", True),
    ([b"a", b"b"], "list(x)", False), ([torch.zeros(2), 1.0], "x[0].add_(1)", True)])
def test_changes_inside_containers_are_seen(toy, given, change, seen):
    found = toy(f"import torch\ndef f(x):\n    {change}\n    return torch.tensor(1)\n", toy_case(given))
    assert found.status == ("wrong" if seen else "ok"), found.failure
    assert not seen or found.failure.misconception == "changes-its-input"
