"""Where jobs run changes nothing; a worker that cannot confine a student, or is of another version, does none."""

import os
import signal
import threading
import time
from concurrent.futures import Future

import pytest

from llmlab.grading import attempts, jobs, pipeline, scheduler
from llmlab.grading.course import CourseError
from llmlab.grading.ledger import Ledger
from llmlab.grading.sample_students import Maker
from llmlab.grading.verdicts import Examiner
from llmlab.harness.report import Report
from llmlab.harness.spawn import WarmServer


@pytest.fixture
def orders(released):
    """Orders of four kinds of work, and what is known of their outcome: the points of each."""
    examiner = Examiner(released)
    solved = (released.course.solutions / "penalties.py").read_bytes()
    full = sum(task.points for task in released.tasks if task.module == "penalties")
    work = {"right": (solved, full), "syntax": (b"def (", 0.0), "empty": (b"", 0.0),
            "exits": (solved.replace(b"import torch\n", b"import torch, os\nos._exit(3)\n", 1), 0.0)}
    return {name: (examiner.order("penalties", source), points) for name, (source, points) in work.items()}


def earned(record) -> float:
    return Report.from_json(record["report"]).earned


def told(record) -> tuple:
    """A record without what varies from run to run: seconds."""
    tasks = [{key: value for key, value in task.items() if key != "seconds"} for task in record["report"]["tasks"]]
    return record["status"], record["reason"], tasks


def test_threads_and_processes_give_the_records_that_one_worker_gives(orders):
    alone = jobs.Worker()
    crews = [scheduler.Threads(2), scheduler.Processes(2)]
    try:
        for name, (order, points) in orders.items():
            first = alone.do(order)
            assert earned(first) == points, name
            for future in [crew.submit(order) for crew in crews]:
                assert told(future.result(120)) == told(first), name
    finally:
        alone.close()
        for crew in crews:
            crew.close()


def test_a_lost_worker_process_costs_no_job(orders):
    order, points = orders["right"]
    crew = scheduler.Processes(1)
    try:
        assert earned(crew.submit(order).result(120)) == points
        (victim,) = crew.pool._processes
        os.kill(victim, signal.SIGKILL)
        with pytest.raises(Exception, match="terminated"):
            while True:
                crew.pool.submit(scheduler.do, order).result(120)
        assert earned(crew.submit(order).result(120)) == points
    finally:
        crew.close()


def test_closing_a_pool_ends_its_processes_in_the_middle_of_a_job(orders):
    order = dict(orders["right"][0], source=b"while True: pass\n")
    crew = scheduler.Processes(1)
    crew.submit(order)
    while not crew.pool._processes:
        time.sleep(0.01)
    processes = list(crew.pool._processes.values())
    time.sleep(0.5)
    crew.close()
    assert not any(process.is_alive() for process in processes)


@pytest.mark.parametrize("jobs_, workers, kind", [(4, 0, "Threads"), (400, 0, "Processes"), (400, 1, "Threads"), (4, 2, "Processes")])
def test_a_small_class_starts_no_processes(jobs_, workers, kind):
    crew = scheduler.choose("", workers, jobs_)
    try:
        assert type(crew).__name__ == kind
    finally:
        crew.close()


def test_where_code_cannot_be_confined_nothing_is_graded(released, monkeypatch):
    Maker(released, 1).all()
    hand_in(released, "ada", "perfect")
    weak = dict.fromkeys(("files", "network"), False) | dict.fromkeys(("writing", "processes", "signals", "memory", "neighbours"), True)
    monkeypatch.setattr(WarmServer, "protections", lambda self: weak)
    with pytest.raises(CourseError, match=r"files, network.*--unprotected"):
        pipeline.grade("lab1", released.course, display=False)
    assert Ledger(released.ledger).read("ada", "verdicts") == {}
    summary = pipeline.grade("lab1", released.course, display=False, unprotected=True)
    assert summary.row("ada").points > 0


def test_a_worker_of_another_version_refuses(orders):
    worker = jobs.Worker()
    with pytest.raises(jobs.Refused, match="another version"):
        worker.do(dict(orders["right"][0], version="0" * 64))
    worker.close()


class Lossy:
    """A crew whose workers are lost for the first `losses` jobs given out."""

    slots = 2

    def __init__(self, losses: int):
        self.losses, self.crew, self.given = losses, scheduler.Threads(2), 0

    def submit(self, order):
        self.given += 1
        if self.given <= self.losses:
            lost: Future = Future()
            lost.set_exception(RuntimeError("the worker was killed"))
            return lost
        return self.crew.submit(order)

    def close(self):
        self.crew.close()


def hand_in(at, student: str, like: str) -> None:
    """Put the sample class's submission `like` into the inbox as this student's."""
    files = next(one.files for one in Maker(at, 1).all() if one.student.startswith(like))
    folder = at.inbox / student / at.lab
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("losses, status", [(2, "needs manual"), (99, "crashed")])
def test_a_job_whose_worker_is_lost_is_given_out_again_a_few_times(released, monkeypatch, losses, status):
    hand_in(released, "ada", "perfect")
    monkeypatch.setattr(scheduler, "choose", lambda *_: Lossy(losses))
    row = pipeline.grade("lab1", released.course, display=False).row("ada")
    assert row.status == status
    assert ("no worker finished" in row.reason) == (status == "crashed")


def test_only_a_few_submissions_are_held_at_a_time(released, monkeypatch):
    """With a crew that never finishes anything by itself, reading stops after a bounded number of submissions."""
    for number in range(40):
        hand_in(released, f"s{number:02}", "perfect")
    held: list[Future] = []
    most = 0

    class Slow:
        slots = 2

        def submit(self, order):
            held.append(Future())
            return held[-1]

        def close(self):
            for future in held:
                future.cancel()

    def finish() -> None:
        nonlocal most
        answer = {"status": "crashed", "reason": "not really run", "seconds": 0.0, "report": None}
        done = 0
        while done < 80:
            most = max(most, len(held) - done)
            if done < len(held):
                time.sleep(0.005)
                held[done].set_result(dict(answer))
                done += 1
            else:
                time.sleep(0.002)

    monkeypatch.setattr(scheduler, "choose", lambda *_: Slow())
    helper = threading.Thread(target=finish, daemon=True)
    helper.start()
    summary = pipeline.grade("lab1", released.course, display=False, record=False)
    helper.join(30)
    assert summary.examined == 80 and most <= 3 * Slow.slots + 2


def test_of_several_attempts_the_best_counts_where_the_course_says_so(released):
    hand_in(released, "ada", "perfect")
    attempts.of(released, "ada")
    solved = (released.inbox / "ada" / "lab1" / "penalties.py").read_bytes()
    worse = {file.name: file.read_bytes() for file in (released.inbox / "ada" / "lab1").iterdir()} | {"penalties.py": b"# lost\n"}
    attempts.add(released, "ada", worse, attempts.datetime.now(attempts.UTC), "collected")
    points = {}
    for policy in ("last", "best", "last"):
        (released.root / "deadlines.toml").write_text(f'[lab1]\npolicy = "{policy}"\n', encoding="utf-8")
        points[policy] = pipeline.grade("lab1", released.course, display=False).row("ada").points
        kept = (released.submitted("ada") / "penalties.py").read_bytes()
        assert (kept == solved) == (policy == "best")
    lost = sum(task.points for task in released.tasks if task.module == "penalties")
    assert points["best"] == points["last"] + lost
    assert Ledger(released.ledger).read("ada", "counted")["attempt"] == 1


def test_a_ctrl_c_that_a_library_swallows_still_stops_the_run():
    from llmlab.grading.stopping import Stopping

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with Stopping() as stopping:
            stopping.check()
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(5)
            except BaseException as swallowed:
                assert isinstance(swallowed, KeyboardInterrupt)
            with pytest.raises(KeyboardInterrupt):
                stopping.check()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
