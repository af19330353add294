"""A candidate that speaks for itself: forged and truncated frames, a killed warm process, children that
outlive their parent.

None of it may raise on the trusted side, earn a point, or cost the next candidate anything.
"""

import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from llmlab._finder import LAB_MODULES
from llmlab.checks import registry
from llmlab.harness import wire
from llmlab.harness.runner import Harness
from llmlab.harness.spawn import WarmServer
from tests.harness.toys import run_toy, toy_case

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the warm process is for Linux")
GOOD = "import torch\ndef f(): return torch.tensor(1)\n"


def forging(frames: str) -> str:
    """A module whose `f` finds the session in the frames above it and writes raw bytes to the trusted side.
    """
    return f"""
import os, struct, sys
def f(*args):
    frame = sys._getframe()
    while type(frame.f_locals.get("self")).__name__ != "Session":
        frame = frame.f_back
    out = frame.f_locals["self"].outward
    for raw in {frames}:
        out.write(raw)
    out.flush()
    os._exit(0)
"""


def raw(data) -> bytes:
    text = json.dumps(data).encode()
    return struct.pack(">QQ", len(text), 0) + text


def plain(answers, printed="") -> bytes:
    return wire.encode({"cases": [{"answers": answers, "printed": printed}]})


RIGHT = wire.encode({"value": torch.tensor(1), "mutated": []})
FORGED = {
    "nothing": [],
    "half a head": [b"\0" * 7],
    "half a frame": [plain([RIGHT])[:-1]],
    "an announced flood": [struct.pack(">QQ", 2**62, 0)],
    "a negative-looking length": [b"\xff" * 16],
    "no JSON": [struct.pack(">QQ", 4, 0) + b"{{{{"],
    "an unknown kind": [raw({"$": "pickle"})],
    "a verdict": [wire.encode({"ok": True, "earned": 1.0, "points": 1.0})],
    "a number": [wire.encode(1)],
    "no answers": [plain([])],
    "too many answers": [plain([RIGHT, RIGHT])],
    "answers that are no list": [plain(3)],
    "answers of text": [plain("abc")],
    "an answer that is no frame": [plain([b"abc"])],
    "an answer that is no dict": [plain([wire.encode([1])])],
    "an answer without mutated": [plain([wire.encode({"value": torch.tensor(1)})])],
    "mutated that is no list": [plain([wire.encode({"value": torch.tensor(1), "mutated": 3})])],
    "printed missing": [wire.encode({"cases": [{"answers": [RIGHT]}]})],
    "cases that are no list": [wire.encode({"cases": 3})],
    "a case that is no dict": [wire.encode({"cases": [3]})],
    "too many cases": [wire.encode({"cases": [{"answers": [RIGHT], "printed": ""}] * 2})],
    "no cases": [wire.encode({"cases": []})],
    "a shape that overflows": [plain([raw({"$": "dict", "items": [["mutated", []], ["value", {
        "$": "tensor", "dtype": "float32", "shape": [2**39, 2**39, 0], "at": 0, "n": 0}]]})])],
    "a model that does not exist": [wire.encode({"op": "model", "id": 5, "ids": None, "attention_mask": None})],
    "a model call of junk": [wire.encode({"op": "model", "id": True, "ids": [1], "attention_mask": {}})],
    "a load answer": [wire.encode({"loaded": True})],
    "an odd exception": [plain([wire.encode({"kind": [1], "message": {"a": 1}, "line": True})])],
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_answer_earns_nothing_and_stops_nobody(harness, name):
    found = run_toy(harness, forging(repr(FORGED[name])), toy_case(seconds=5))
    assert found.earned == 0 and found.status in ("crashed", "wrong"), found
    assert found.failure.message
    assert run_toy(harness, GOOD).status == "ok"


def test_a_forged_right_answer_is_only_what_the_function_could_have_returned(harness):
    """Values may be forged, and then are values: a wrong one is wrong."""
    two = wire.encode({"value": torch.tensor(2), "mutated": []})
    assert run_toy(harness, forging(repr([plain([two])]))).status == "wrong"


def test_a_forged_flood_of_print_is_cut(harness):
    found = run_toy(harness, forging(repr([plain([wire.encode({"value": 0, "mutated": []})], "x" * 1_000_000)])))
    assert found.status == "wrong" and len(found.failure.printed) <= 8_000


def test_a_candidate_that_replaces_what_it_finds_changes_nothing_here(harness):
    """Patching torch and the given runtime in its own process: the comparison happens elsewhere."""
    source = ("import torch\nfrom llmlab.checks import protocol\nfrom llmlab.harness import wire, candidate\n"
              "torch.allclose = torch.equal = lambda *a, **k: True\ncandidate.changed = lambda *a: False\n"
              "torch.Tensor.__eq__ = lambda *a: True\nprotocol.Verdict = None\n"
              "def f(): return torch.tensor(2)\n")
    assert run_toy(harness, source).status == "wrong"
    assert run_toy(harness, GOOD).status == "ok"


JUNK = ["None", "'text'", "[]", "{}", "float('nan')", "-1", "[None, (1, 'a')]", "__import__('torch').zeros(0)",
        "__import__('torch').full((2, 3), float('nan'))", "__import__('torch').zeros(3, dtype=__import__('torch').bool)",
        "{1: {2: 3}}", "10 ** 400"]


@pytest.mark.parametrize("value", JUNK)
@pytest.mark.parametrize("module", LAB_MODULES)
def test_every_judge_survives_junk(harness, module, value):
    """The first two cases of every group, answered with a value nobody expects: a verdict, never an
    exception here.
    """
    checks, taken, counts = registry.checks_of(module), [], {}
    for case in CASES[module] if module in CASES else CASES.setdefault(module, checks.cases(0)):
        counts[case.task, case.group] = counts.get((case.task, case.group), 0) + 1
        if counts[case.task, case.group] <= 2:
            taken.append(case)
    source = f"def __getattr__(name):\n    return lambda *args, **kwargs: {value}\n".encode()
    report = harness.check_source(module, source, "junk.py", registry.tasks(module), taken, checks)
    assert report.earned == 0 and all(task.status == "wrong" and task.failure.message for task in report.tasks)


CASES: dict = {}


def alive(pid: int) -> bool:
    """True while the process runs; a zombie nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(*pids: int, seconds: float = 20) -> bool:
    """Wait until all of them have ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not any(map(alive, pids)):
            return True
        time.sleep(0.02)
    return False


def descendants(pid: int) -> set[int]:
    """The processes that came of this one, by their parents in /proc."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found: set[int] = set()
    while new := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= new
    return found


@pytest.mark.parametrize("namespaces", [False, True])
def test_a_killed_warm_process_ends_its_children_and_is_started_again(namespaces):
    with Harness(WarmServer(namespaces=namespaces)) as harness:
        candidate = harness.starter.start()  # held: it would end if nobody held its streams
        family = descendants(harness.starter.process.pid)
        assert candidate.pid and family and all(map(alive, family))
        os.kill(harness.starter.process.pid, signal.SIGKILL)
        assert gone(*family), "a process outlived the warm process"
        assert run_toy(harness, GOOD).status == "ok"


PARENT = """
import sys
from llmlab.harness.runner import Candidate, Harness
harness = Harness()
candidate = Candidate(harness.starter.start(), "decoding", b"import time\\ndef f(): time.sleep(600)", "d.py")
candidate.load()
print(harness.starter.process.pid, flush=True)
sys.stdin.read()
"""


def test_the_death_of_the_trusted_side_ends_server_and_candidates():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        server = int(parent.stdout.readline())
        family = {server, *descendants(server)}
        assert len(family) > 1 and all(map(alive, family))
        parent.kill()
        parent.wait()
        assert gone(*family), "a process outlived the one that started it"
    finally:
        parent.kill()
        parent.communicate()


def test_closing_leaves_no_process_and_no_folder():
    harness = Harness()
    folder, server = Path(harness.starter.folder.name), harness.starter.process.pid
    harness.starter.start()
    family = {server, *descendants(server)}
    harness.close()
    assert gone(*family) and not folder.exists()


def test_a_process_may_be_ended_twice_and_killed_after(harness):
    process = harness.starter.start()
    process.kill()
    process.end()
    assert process.end() == ""
    process.kill()


def test_two_threads_share_one_warm_process(harness):
    """Each gets its own candidates and its own answers."""
    found: dict[int, list] = {}

    def work(number: int) -> None:
        source = f"import torch\ndef f(): return torch.tensor({number})\n"
        found[number] = [run_toy(harness, source, toy_case(expect=torch.tensor(number))).status for _ in range(4)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: ["ok"] * 4 for n in range(4)}
