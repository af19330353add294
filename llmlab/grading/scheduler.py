"""Where jobs run: in threads of this process, in a pool of processes, or on the workers of a Dask scheduler. One door.

    with scheduler.choose(address, jobs=200) as crew:
        future = crew.submit(order)         # a concurrent.futures.Future of a record

The ledger decides what is done and what is repeated; a scheduler only carries orders. None of them confines a student: the
worker does (`jobs.Worker`).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Any, Protocol

from llmlab.grading import database
from llmlab.grading.cluster import Dask
from llmlab.grading.jobs import Order, Record, Worker

FEW = 24
"""So few jobs are done before a pool of processes has imported torch."""


class Crew(Protocol):
    """What the grader needs of a scheduler."""

    slots: int

    def submit(self, order: Order) -> Future[Record]: ...

    def close(self) -> None: ...


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Threads:
    """Jobs in this process; each waits on a process of its own. One thread more than cores: one that waits needs none."""

    def __init__(self, threads: int = 0):
        self.slots = threads or min(8, 1 + cores())
        self.worker = Worker()
        self.pool = ThreadPoolExecutor(self.slots, thread_name_prefix="examine")

    def submit(self, order: Order) -> Future[Record]:
        return self.pool.submit(self.worker.do, order)

    def close(self) -> None:
        self.worker.close()  # ends what still runs, so that the threads end too
        self.pool.shutdown(wait=True, cancel_futures=True)


_worker: Worker | None = None


def _start() -> None:
    """In a new worker process: Ctrl-C is for the process that gives out the jobs, which then ends this one."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.pop(database.VARIABLE, None)  # only the process that gives out the jobs writes the gradebook
    import torch

    torch.set_num_threads(1)
    _worker = Worker()


def do(order: Order) -> Record:
    """Do a job in this process, with the worker that it keeps."""
    global _worker
    if _worker is None:
        _worker = Worker()
    return _worker.do(order)


class Processes:
    """Jobs in worker processes of this machine. A worker that dies is replaced; its jobs fail and may be given out again."""

    def __init__(self, workers: int = 0):
        self.slots = workers or cores()
        self._open()

    def _open(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(self.slots, mp_context=context, initializer=_start)

    def submit(self, order: Order) -> Future[Record]:
        try:
            return self.pool.submit(do, order)
        except BrokenProcessPool:
            self.pool.shutdown(wait=False, cancel_futures=True)
            self._open()
            return self.pool.submit(do, order)

    def close(self) -> None:
        running = list((self.pool._processes or {}).values())
        self.pool.shutdown(wait=False, cancel_futures=True)
        for process in running:  # a job may wait for a time limit; its warm process ends with the worker
            with suppress(ProcessLookupError, ValueError, AttributeError):
                process.terminate()
        for process in running:
            with suppress(AssertionError, ValueError):
                process.join(5)


def choose(address: str = "", workers: int = 0, jobs: int = 0) -> Any:
    """The scheduler for so many jobs: Dask at an address, processes for many, this process for few."""
    if address:
        return Dask(address)
    if workers == 1 or (not workers and jobs <= FEW):
        return Threads()
    return Processes(workers)
