"""A Dask scheduler and workers as processes on the loopback address, for tests. Everything they write goes to a folder of the
test's own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from llmlab.grading.course import course

ROOT = course(Path(__file__)).root
SECONDS = 90

FAKE = '''
"""A worker that examines nothing: what it does is written in the source that it gets. It starts without torch."""
import os, signal, sys, time, types


class Refused(RuntimeError):
    pass


class Worker:
    def do(self, order):
        if order["kind"] == "display":
            return {"seconds": 0.0, "outputs": {}}
        source = order["source"]
        if b"SLOW" in source:
            time.sleep(0.5)
        if b"KILL" in source:
            os.kill(os.getpid(), signal.SIGKILL)
        if b"FAIL" in source:
            raise OSError(28, "No space left on device")
        if b"REFUSE" in source:
            raise Refused("This machine does not keep students' code from network.")
        return {"status": "graded", "reason": "", "seconds": 0.0, "report": None, "pid": os.getpid(), "source": source.hex()}


fake = types.ModuleType("llmlab.grading.jobs")
fake.Worker, fake.Refused, fake.Order, fake.Record = Worker, Refused, dict, dict
Refused.__module__ = fake.__name__
sys.modules[fake.__name__] = fake
sys.modules["torch"] = types.ModuleType("torch")
sys.modules["torch"].set_num_threads = lambda n: None
'''

SMALL_LAB = "from tests.grading import lab_text\nlab_text.restrict()\n"
"""For a real worker: the same small lab as in the test."""

OPEN_MACHINE = """
from llmlab.harness.spawn import WarmServer
WarmServer.protections = lambda self: {"files": True, "writing": True, "processes": True, "signals": True, "memory": True}
"""
"""For a real worker: a machine that keeps nobody from the network and from his neighbours."""


class Processes:
    """A scheduler and its workers. `preload`: what the scheduler runs first; `tls`: everybody's options for certificates."""

    def __init__(self, folder: Path, preload: str = "", tls: tuple[str, ...] = ()):
        self.folder, self.tls = folder, tls
        self.workers: list[subprocess.Popen] = []
        self.spare: list[subprocess.Popen] = []
        folder.mkdir(parents=True, exist_ok=True)
        told, first = folder / "scheduler.json", folder / "scheduler_preload.py"
        first.write_text(preload)
        self.scheduler = self.start("scheduler", "--port", "0", "--scheduler-file", str(told), "--preload", str(first))
        self.wait(lambda: told.is_file() and told.read_text().strip().endswith("}"), self.scheduler)
        self.address = json.loads(told.read_text())["address"]

    def start(self, kind: str, *options: str) -> subprocess.Popen:
        log = (self.folder / f"{kind}-{len(self.workers)}.log").open("wb")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DASK_")}
        environment |= {"DASK_CONFIG": str(self.folder / "no-configuration"), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        with log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", kind, "--host", "127.0.0.1", "--no-dashboard", *self.tls, *options],
                cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def fakes(self, number: int) -> list[subprocess.Popen]:
        """So many fake workers and no other ones: those that live from an earlier test are used again."""
        self.spare = [one for one in self.spare if one.poll() is None]
        self.remove([one for one in self.workers if one not in self.spare[:number]])
        self.spare = self.spare[:number]
        if len(self.spare) < number:
            self.spare += self.add(number - len(self.spare), FAKE)
        return list(self.spare)

    def add(self, number: int, preload: str, *options: str) -> list[subprocess.Popen]:
        """Start workers and wait until the scheduler knows them."""
        file = self.folder / f"preload_{len(self.workers)}.py"
        file.write_text(preload)
        before = len(self.known())
        new = []
        for _ in range(number):
            new.append(self.start("worker", self.address, "--nthreads", "1", "--no-nanny", "--memory-limit", "0",
                                  "--local-directory", str(self.folder), "--preload", str(file), *options))
            self.workers.append(new[-1])
        self.wait(lambda: len(self.known()) == before + number, *new)
        return new

    def known(self) -> list[dict]:
        """What the scheduler says of each of its workers."""
        with self.client() as client:
            return list(client.sync(client.scheduler.identity, n_workers=-1)["workers"].values())

    def pids(self) -> dict[str, int]:
        """Address -> process."""
        with self.client() as client:
            return client.run(os.getpid)

    def client(self):
        import distributed

        return distributed.Client(self.address, timeout=SECONDS, set_as_default=False)

    def remove(self, workers: list[subprocess.Popen]) -> None:
        """End these workers, and wait until the scheduler knows."""
        for process in workers:
            end(process)
        self.workers = [one for one in self.workers if one not in workers]
        self.wait(lambda: len(self.known()) <= len(self.workers), self.scheduler)

    def wait(self, done, *alive: subprocess.Popen) -> None:
        until = time.monotonic() + SECONDS
        while not done():
            assert time.monotonic() < until and all(one.poll() is None for one in alive), self.logs()
            time.sleep(0.05)

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in self.folder.glob("*.log"))

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_) -> None:
        for process in [*self.workers, self.scheduler]:
            end(process)


def end(process: subprocess.Popen) -> None:
    """Kill what was started here, with its group."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
