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

from llmlab.grading.course import CourseError
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


class Dask:
    """Jobs on the workers of a Dask scheduler, as `tls://host:8786` or `tcp://host:8786`.

    For `tls://` the certificates come from Dask's own configuration (`distributed.comm.tls`). Retries are the grader's.
    """

    def __init__(self, address: str, timeout: float = 30.0):
        try:
            import distributed
        except ModuleNotFoundError:
            raise CourseError(f"--scheduler {address}: Dask is not installed. `pip install 'llmlab[cluster]'` on this machine "
                              "and on every worker.") from None
        try:
            self.client = distributed.Client(address, timeout=timeout, set_as_default=False)
        except (OSError, ValueError, TypeError, TimeoutError, RuntimeError) as error:
            raise CourseError(f"--scheduler {address}: no scheduler answers there ({type(error).__name__}). Start one with `dask "
                              "scheduler`, and workers with `dask worker ADDRESS --nthreads 1`.") from None
        threads = sum(self.client.nthreads().values())
        if not threads:
            self.client.close()
            raise CourseError(f"--scheduler {address}: it has no worker. Start some with `dask worker {address} --nthreads 1`.")
        self.slots = threads
        self.executor = self.client.get_executor(pure=False, retries=0)

    def submit(self, order: Order) -> Future[Record]:
        return self.executor.submit(do, order)

    def close(self) -> None:
        with suppress(Exception):  # the scheduler may be gone: nothing is lost, the ledger has it
            self.executor.shutdown(wait=False)
        self.client.close(timeout=5)


def choose(address: str = "", workers: int = 0, jobs: int = 0) -> Any:
    """The scheduler for so many jobs: Dask at an address, processes for many, this process for few."""
    if address:
        return Dask(address)
    if workers == 1 or (not workers and jobs <= FEW):
        return Threads()
    return Processes(workers)
