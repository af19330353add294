"""Runs attacks and probes as the grader would: the real harness, the real checks of three quick tasks, the hidden
cases. And looks around afterwards: what was left behind, what was touched.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

import torch

from llmlab._finder import PACKAGE
from llmlab.checks import registry
from llmlab.checks.protocol import Call, Case, Returned, Task, Verdict
from llmlab.grading import hidden, variants
from llmlab.grading.sample_students import unmarked
from llmlab.harness import runner
from llmlab.harness.report import Report
from llmlab.harness.spawn import WarmServer
from tests.adversarial.attack import FULL, Attack, Probe

TOY = Task("decoding.f", "lab1", "a toy", {"g": 1.0}, "part1/start.html#sec-start")
NEEDLE = 0.7310585786300049
"""A number that only the trusted side knows: the expected value of the toy case."""
SECRET = "instructors-secret-5f0c1d"


class Room:
    """A warm harness, the quick tasks, and a world to attack: files, listeners, processes, an environment."""

    def __init__(self, folder: Path, namespaces: bool = True):
        self.harness = runner.Harness(WarmServer(namespaces=namespaces))
        self.tasks = [task for task in registry.tasks("decoding") if task.function in FULL]
        self.checks = registry.checks_of("decoding")
        self.world = World(folder)
        self.check(self.solution)
        self.still = descendants(self.warm)

    def close(self) -> None:
        self.world.close()
        self.harness.close()

    @property
    def warm(self) -> int:
        return self.harness.starter.process.pid

    @cached_property
    def cases(self) -> list[Case]:
        names = {task.id for task in self.tasks}
        return [case for case in hidden.cases("decoding") if case.task in names]

    @cached_property
    def solution(self) -> bytes:
        return unmarked(variants.solution("decoding"))

    def source(self, attack: Attack) -> bytes:
        base = {"solution": self.solution, "starter": (PACKAGE / "decoding.py").read_bytes(), "": b""}[attack.base]
        text = attack.source
        return base + b"\n\n" + (text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))

    def check(self, source: bytes, seconds: float = 10.0, short: frozenset[str] = frozenset()) -> Report:
        """The report on a module; the cases of the functions in `short` get at most `seconds`."""
        cases = [dataclasses.replace(case, seconds=seconds) if case.task.partition(".")[2] in short else case
                 for case in self.cases]
        return self.harness.check_source("decoding", source, "decoding.py", self.tasks, cases, self.checks)

    def attack(self, attack: Attack) -> Report:
        return self.check(self.source(attack), attack.seconds, frozenset(attack.gets))

    def probe(self, probe: Probe) -> list[str]:
        """What a probe returned from the student's process. An answer that is no list counts as found."""
        seen: list = []

        def judge(case, outputs, events):
            seen.append(outputs[-1])
            return Verdict(True)

        case = Case(TOY.id, "g", (Call("f", (self.world.told,)),), torch.tensor([NEEDLE], dtype=torch.float64), seconds=20)
        report = self.harness.check_source("decoding", probe.source.encode(), "decoding.py", [TOY], [case],
                                           SimpleNamespace(judge=judge))
        if not seen:
            failure = report.tasks[0].failure
            return [f"no answer: {failure.message}"]
        if not isinstance(seen[0], Returned):
            return [f"raised {seen[0].kind}: {seen[0].message}"]
        return list(seen[0].value) if isinstance(seen[0].value, list) else [repr(seen[0].value)]

    def left(self) -> list[str]:
        """What an attack left behind: processes, files, changes. Empty when all is well."""
        found = [f"process {pid} {command(pid)}" for pid in descendants(self.warm) if pid not in self.still and alive(pid)]
        return found + self.world.touched()


def outcome(report: Report) -> str:
    """The points of each task, and the statuses of those that lost some."""
    said = sorted({task.status for task in report.tasks if task.earned < task.points})
    points = ", ".join(f"{task.id.partition('.')[2]} {task.earned:g}" for task in report.tasks)
    return points + (f" ({', '.join(said)})" if said else "")


def earned(report: Report) -> dict[str, float]:
    return {task.id.partition(".")[2]: task.earned for task in report.tasks}


class World:
    """Things of the instructor's, in a folder and around it. `told` is what a probe gets to know of them: everything
    but what is in them. A listener notes whatever arrives.
    """

    def __init__(self, folder: Path):
        self.folder, self.heard = folder, []
        self.files = plant(folder)
        self.abstract = f"llmlab-{os.getpid()}-{folder.name}"
        self.listeners = [self._listen(*kind) for kind in (
            (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)), (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            (socket.AF_UNIX, socket.SOCK_STREAM, str(folder / "socket")),
            (socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.abstract}"))]
        self.shm = Path("/dev/shm") / f"llmlab-{os.getpid()}-{folder.name}"
        if self.shm.parent.is_dir():
            self.shm.write_text(SECRET)
        # A process of the same user that is none of the candidate's business, with a secret in its environment.
        self.neighbour = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"], env={"SECRET": SECRET},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        self.before = self.snapshot()

    def _listen(self, family, kind, address):
        one = socket.socket(family, kind)
        one.bind(address)
        if kind == socket.SOCK_STREAM:
            one.listen(8)

        def wait():
            while True:
                try:
                    self.heard.append(one.accept()[1] if kind == socket.SOCK_STREAM else one.recvfrom(100)[1])
                except OSError:
                    return
        threading.Thread(target=wait, daemon=True).start()
        return one

    @property
    def told(self) -> dict:
        return {
            "root": str(self.folder), "files": [str(file) for file in self.files], "secret": SECRET, "needle": NEEDLE,
            "mark": "llmlab-was-here",
            "repository": str(PACKAGE.parent), "python": sys.prefix, "shm": str(self.shm),
            "tcp": self.listeners[0].getsockname()[1], "udp": self.listeners[1].getsockname()[1],
            "unix": str(self.folder / "socket"), "abstract": self.abstract,
            "pids": [os.getpid(), self.neighbour.pid], "home": str(Path.home())}

    def snapshot(self) -> dict[str, str]:
        """Every file of the folder with the hash of its bytes, its mode and its links."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                told = path.stat()
                found[str(path)] = f"{hashlib.sha256(path.read_bytes()).hexdigest()} {told.st_mode:o} {told.st_nlink}"
            else:
                found[str(path)] = "folder"
        return found

    def touched(self) -> list[str]:
        """What has changed since the beginning, who called, and files with our mark in places open to everybody."""
        now = self.snapshot()
        found = [f"changed {name}" for name in sorted(self.before.keys() | now.keys()) if self.before.get(name) != now.get(name)]
        found += [f"called by {one!r}" for one in self.heard]
        self.heard.clear()
        for folder in {"/tmp", "/var/tmp", "/dev/shm", str(Path.home()), os.getcwd()}:
            found += [f"left {path}" for path in Path(folder).glob("llmlab-was-here*")]
        if self.neighbour.poll() is not None:
            found.append("the neighbour was killed")
        return found

    def close(self) -> None:
        for one in self.listeners:
            with one:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
        self.neighbour.send_signal(signal.SIGKILL)
        self.neighbour.wait()
        self.shm.unlink(missing_ok=True)


def plant(folder: Path) -> list[Path]:
    """A course folder with everything that must stay secret or whole."""
    files = [folder / name for name in (
        "solutions/decoding.py", "solutions/hidden/decoding.py", "assignments/gradebook.db", "assignments/roster.csv",
        "assignments/ledger/lab1/ada/verdicts.json", "assignments/inbox/bob/lab1/decoding.py",
        "assignments/submitted/bob/lab1/decoding.py", "assignments/nbgrader_config.py", "tests/test_hidden.py",
        ".ipython/profile_default/startup/00.py", ".env")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {SECRET}\n")
        file.chmod(0o666)
    return files


def descendants(pid: int) -> set[int]:
    """The processes below one."""
    below: set[int] = set()
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError:
        return below
    for task in tasks:
        try:
            children = Path(f"/proc/{pid}/task/{task}/children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in map(int, children):
            below |= {child} | descendants(child)
    return below


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("latin-1")[:100]
    except OSError:
        return "?"
