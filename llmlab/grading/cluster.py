"""Jobs on the workers of a Dask scheduler, on this machine or on others. `docs/scaling.md` tells how.

Every worker has at most one job of ours at a time, and a job is bound to the worker that got it. So a worker
that is lost takes one job with it, and no job is blamed for a worker that another one ended. The rest of the
jobs wait here. What goes out and comes back is JSON. This file decides no retry (the run does) and confines
nobody (the worker does: `jobs.Worker`). A scheduler and a worker import this file too, so it imports neither
torch nor Dask at once.
"""

from __future__ import annotations

import base64
import json
import math
import pkgutil
import platform
import sys
import threading
import time
from collections import defaultdict, deque
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from llmlab.grading.cluster_address import checked, connected
from llmlab.grading.course import CourseError

if TYPE_CHECKING:
    from llmlab.grading.jobs import Order, Record

SECONDS = 30.0
"""How long a scheduler may take to answer."""
PATIENCE = 90.0
"""How long a run waits for a worker when none is left: Dask's nanny has a new one after some seconds, a queue
may need more."""
LOOK = 1.0
"""Seconds between two looks at which workers there are."""
DEFECTS = 3
"""After so many different jobs in a row that failed on a worker (no disk, no memory), it gets no more."""
PYTHON = ".".join(platform.python_version_tuple()[:2])
"""Asked of every worker before its first job. One that cannot import the job ends instead of saying so, and
its jobs would seem to have killed it."""

_one_at_a_time = threading.Lock()


class WorkerLost(RuntimeError):
    """The worker ended while it had the job."""


class Failed(RuntimeError):
    """The worker lives and has not done the job: something of ours, or of its machine, is broken."""


def packed(order: Order) -> bytes:
    """An order as JSON.

    >>> unpacked(packed({"module": "decoding", "source": b"x"}))
    {'module': 'decoding', 'source': b'x'}
    """
    return json.dumps(order, default=lambda raw: {"base64": base64.b64encode(raw).decode()}).encode()


def unpacked(raw: bytes) -> Order:
    """The order again."""
    def whole(one: dict[str, Any]) -> Any:
        return base64.b64decode(one["base64"]) if list(one) == ["base64"] else one

    return json.loads(raw, object_hook=whole)


def work(order: bytes) -> bytes:
    """Do a job, in a worker's process. Raises Refused, Failed."""
    import torch

    from llmlab.grading import scheduler
    from llmlab.grading.jobs import Refused

    with _one_at_a_time:  # also where somebody gave the worker more threads, or two runs share it
        torch.set_num_threads(1)
        try:
            return json.dumps(scheduler.do(unpacked(order))).encode()
        except Refused:
            raise
        except Exception as error:  # as text: not every exception survives the way
            raise Failed(f"{type(error).__name__}: {str(error)[:500]}") from None


def warn(what: str) -> None:
    print(f"Warning: {what}", file=sys.stderr)


def lost(worker: str) -> WorkerLost:
    return WorkerLost(f"the worker {worker} was lost while it had this job")


class Dask:
    """Jobs on the workers of a Dask scheduler, as `tls://host:8786` or `tcp://host:8786`.

    timeout: seconds for the scheduler to answer. patience: seconds to wait for a worker when none is left; then
    every job is refused, which ends the run. For `tls://` the certificates come from Dask's own configuration
    (`distributed.comm.tls`).
    """

    def __init__(self, address: str, timeout: float | None = None, patience: float | None = None):
        checked(address)
        self.address, self.patience = address, PATIENCE if patience is None else patience
        self.client = connected(address, SECONDS if timeout is None else timeout)
        self.waiting: deque[tuple[bytes, Future[Record]]] = deque()
        self.busy: dict[str, tuple[Future[bytes], bytes, Future[Record]]] = {}
        self.defects: defaultdict[str, set[bytes]] = defaultdict(set)  # address -> the jobs that failed there
        self.workers: dict[str, float] = {}  # address -> when it was last seen ready for work
        self.greeted: dict[str, str] = {}  # address -> why it gets no job; "" if it gets some
        self.looked = self.hoped = time.monotonic()
        self.wake, self.stopped, self.refusal = threading.Event(), False, ""
        try:
            threads = self.look()
        except Exception as error:
            self.client.close(timeout=5)
            raise CourseError(f"--scheduler {address}: the scheduler does not tell its workers "
                              f"({type(error).__name__}). Is it the same version of Dask?") from None
        if not self.workers:
            self.client.close(timeout=5)
            bad = f" that can do the jobs: {next(iter(self.greeted.values()))}" if self.greeted else ""
            raise CourseError(f"--scheduler {address}: it has no worker{bad}. Start some with "
                              f"`dask worker {address} --nthreads 1`.")
        if threads > self.slots:
            warn(f"{self.slots} worker processes have {threads} threads, and each does one job at a time. Start them "
                 "with `--nworkers N --nthreads 1`, N for the machine's cores.")
        self.executor = self.client.get_executor(pure=False, retries=0, allow_other_workers=False)
        self.thread = threading.Thread(target=self.serve, name="crew", daemon=True)
        self.thread.start()

    def submit(self, order: Order) -> Future[Record]:
        future: Future[Record] = Future()
        self.waiting.append((packed(order), future))
        self.wake.set()
        return future

    def close(self) -> None:
        """Give nothing out any more. A job at hand goes on at its worker, and nobody hears of it."""
        self.stopped = True
        self.wake.set()
        self.thread.join(10)
        with suppress(Exception):  # the scheduler may be gone: nothing is lost, the ledger has it
            self.executor.shutdown(wait=False)
        self.client.close(timeout=5)

    def serve(self) -> None:
        """The crew's own thread: it alone touches `busy` and `workers`."""
        while not self.stopped:
            self.wake.wait(LOOK)
            self.wake.clear()
            try:
                self.take()
                if time.monotonic() >= self.looked + LOOK:
                    self.look()
                self.missed()
                self.give()
            except Exception as error:  # the scheduler does not answer; it may come back
                if self.stopped:
                    break
                if time.monotonic() > self.hoped + self.patience:
                    self.refuse(f"the scheduler did not answer for {self.patience:g} s ({type(error).__name__}). "
                                "What is graded is kept: start it, and run the same command again.")
                time.sleep(LOOK / 4)

    def look(self) -> int:
        """See which workers there are; the number of their threads."""
        asked = self.client.scheduler.identity
        found = self.client.sync(asked, n_workers=-1, callback_timeout=SECONDS)["workers"]
        now = self.looked = time.monotonic()
        running = {one: told for one, told in found.items() if told.get("status", "running") == "running"}
        self.greet([one for one in running if one not in self.greeted])
        ready = {one: told for one, told in running.items()
                 if self.greeted.get(one) == "" and len(self.defects[one]) < DEFECTS}
        still = {one: seen for one, seen in self.workers.items() if one in found}
        self.workers = still | dict.fromkeys(ready, now)
        self.slots = max(1, len(ready))
        if ready or self.busy:
            self.hoped = now
        return sum(told["nthreads"] for told in ready.values())

    def greet(self, new: list[str]) -> None:
        """Find out whether new workers can do jobs at all; say so on stderr of one that cannot."""
        if not new:
            return
        ask = f"{__name__}:PYTHON"
        said = self.client.run(pkgutil.resolve_name, ask, workers=new, on_error="return")
        for one, python in said.items():
            if isinstance(python, OSError):  # it is gone again, or does not answer yet
                continue
            if isinstance(python, Exception):
                self.greeted[one] = f"{one} has no llmlab like this one ({type(python).__name__}: {python})"
            else:
                other = f"{one} runs Python {python}, and this is Python {PYTHON}"
                self.greeted[one] = "" if python == PYTHON else other
            if self.greeted[one]:
                warn(f"the worker {self.greeted[one]}. It gets no job: install the same there.")

    def missed(self) -> None:
        """Tell of jobs whose worker is gone or stuck; refuse all if no worker has come for too long."""
        late = time.monotonic() - self.patience
        for one in [one for one in self.busy if self.workers.get(one, -math.inf) < late]:
            running, _, future = self.busy.pop(one)
            running.cancel()
            future.set_exception(lost(one))
        if self.hoped < late:
            bad = [one for one, jobs in self.defects.items() if len(jobs) >= DEFECTS]
            told = f" Jobs failed on {', '.join(bad)}: `llmlab doctor` there tells more." if bad else ""
            self.refuse(f"no worker is left, for {self.patience:g} s.{told} What is graded is kept: start workers with "
                        f"`dask worker {self.address} --nthreads 1`, and run the same command again.")

    def give(self) -> None:
        """A job for every worker that has none."""
        if self.refusal:
            self.refuse(self.refusal)
        for one, seen in self.workers.items():
            if not self.waiting:
                break
            if one not in self.busy and seen == self.looked and len(self.defects[one]) < DEFECTS:
                order, future = self.waiting[0]
                running = self.executor.submit(work, order, workers=[one])
                self.waiting.popleft()
                self.busy[one] = running, order, future
                running.add_done_callback(lambda _: self.wake.set())

    def take(self) -> None:
        """Hand on what is finished."""
        for one in [one for one, (running, _, _) in self.busy.items() if running.done()]:
            running, order, future = self.busy[one]
            if running.cancelled():  # the connection was lost, not the worker: nobody's fault
                self.waiting.appendleft((order, future))
            elif error := running.exception():
                future.set_exception(self.understood(error, one, order))
            else:
                self.defects[one].clear()
                future.set_result(json.loads(running.result()))
            del self.busy[one]

    def understood(self, error: BaseException, worker: str, order: bytes) -> Exception:
        """What an error means for the run: Refused ends it, anything else lets it try this job again."""
        from distributed import KilledWorker

        from llmlab.grading.jobs import Refused

        if isinstance(error, Refused):
            return Refused(f"{str(error).rstrip('.')} (worker {worker}).")
        if isinstance(error, Failed):
            self.defects[worker].add(order)
            if len(self.defects[worker]) == DEFECTS:
                warn(f"{DEFECTS} jobs failed on the worker {worker}, the last with {error}. It gets no more.")
            return error
        if isinstance(error, (KilledWorker, OSError)):
            return lost(worker)
        text = " ".join(str(error).split())[:200]
        return Refused(f"the worker {worker} cannot do the jobs ({type(error).__name__}: {text}). Install the same "
                       "llmlab on it and on the scheduler's machine as here, and start both again.")

    def refuse(self, why: str) -> None:
        """End every job with this reason, now and from now on."""
        from llmlab.grading.jobs import Refused

        if not self.refusal:
            self.refusal = f"--scheduler {self.address}: {why}"
        ended = [*[entry[2] for entry in self.busy.values()], *[future for _, future in self.waiting]]
        self.busy.clear()
        self.waiting.clear()
        for future in ended:
            future.set_exception(Refused(self.refusal))
