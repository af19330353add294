"""Grading on the workers of a Dask scheduler: the same result as here, also when workers die; and no run that hangs.

The scheduler and the workers are processes on the loopback address. Real workers examine; fake ones (`dask_processes.FAKE`)
do what the source tells them, so that a worker's death costs no second import of torch.
"""

import os
import shutil
import signal
import subprocess
import threading
import time

import pytest

from llmlab.cli.app import run as command
from llmlab.grading import cluster, cluster_address, pipeline
from llmlab.grading.course import Course, CourseError
from llmlab.grading.jobs import Refused, display_order, module_order
from llmlab.grading.ledger import Ledger
from llmlab.grading.places import desk
from llmlab.grading.sample_class import hand_in
from llmlab.grading.sample_students import Maker
from tests.grading import dask_processes, lab_text
from tests.grading.dask_processes import Processes

STUDENTS = ("mistake-01", "module-missing", "process-exit")


@pytest.fixture(scope="module")
def released(tmp_path_factory, few_tasks):
    """A released lab with an empty inbox, to be copied."""
    where = lab_text.released_course(tmp_path_factory.mktemp("released") / "course")
    return desk("lab1", where)


@pytest.fixture
def at(released, tmp_path):
    """A released lab of the test's own."""
    return copied(released, tmp_path)


def copied(at, folder):
    shutil.copytree(at.course.root, folder / "course", symlinks=True)
    return desk("lab1", Course(folder / "course"))


def results(at, rows):
    """All that counts: the rows, and everything the ledger says but the seconds."""
    ledger = Ledger(at.ledger)
    names = [(name, record) for name in ledger.students()
             for record in ("verdicts", *(f"module-{module}" for module in at.modules))]
    return rows, {name: timeless(ledger.read(*name)) for name in names}


def timeless(told):
    if isinstance(told, dict):
        return {name: timeless(value) for name, value in told.items() if name != "seconds"}
    return [timeless(one) for one in told] if isinstance(told, list) else told


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    with Processes(tmp_path_factory.mktemp("dask")) as processes:
        yield processes


@pytest.fixture
def others(scheduler):
    """others(number, preload, ...): workers of the test's own, and no other ones; they end with the test."""
    started = []

    def start(*how):
        if not started:
            scheduler.fakes(0)
        started.extend(scheduler.add(*how))
        return started

    yield start
    scheduler.remove(started)


@pytest.fixture(autouse=True)
def watchful(monkeypatch):
    """A lost worker is noticed at once."""
    monkeypatch.setattr(cluster, "LOOK", 0.2)


@pytest.fixture
def impatient(monkeypatch):
    """A run gives up after a second without workers."""
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    monkeypatch.setattr(cluster, "SECONDS", 3.0)


@pytest.fixture
def crew_of(impatient):
    """crew_of(address) -> Dask, closed at the end."""
    made = []

    def make(address):
        made.append(cluster.Dask(address))
        return made[-1]

    yield make
    for crew in made:
        crew.close()


def order(source):
    return {"kind": "module", "source": source}


def classes(at, **sources):
    """Hand in, for each student, a module `decoding` with this text."""
    for student, text in sources.items():
        folder = at.inbox / student / "lab1"
        folder.mkdir(parents=True)
        (folder / "decoding.py").write_text(f"# {student}\n# {text}\n")


# Real workers


def test_the_same_result_as_here_and_through_the_death_of_a_worker(released, tmp_path, scheduler, others, monkeypatch):
    mine = copied(released, tmp_path / "here")
    hand_in(mine, [one for one in Maker(mine, 7).all() if one.student in STUDENTS])
    there = copied(mine, tmp_path / "there")
    here = results(mine, pipeline.grade("lab1", mine.course, display=False).rows)
    given = []
    submit = cluster.Dask.submit
    monkeypatch.setattr(cluster.Dask, "submit", lambda crew, order: given.append(order) or submit(crew, order))

    first, _ = others(2, dask_processes.SMALL_LAB)
    death = threading.Thread(target=kill_at_work, args=(scheduler, first.pid))
    death.start()
    summary = pipeline.grade("lab1", there.course, crew=scheduler.address, display=False)
    death.join()
    assert first.wait(timeout=60) == -signal.SIGKILL
    jobs = 2 * len(STUDENTS) - 1
    assert summary.examined == jobs, "one module is missing"
    assert len(given) == jobs + 1, "the job of the dead worker was given out twice"
    assert results(there, summary.rows) == here
    again = pipeline.grade("lab1", there.course, display=False)
    assert again.examined == again.recorded == 0, "all is done"

    crew = cluster.Dask(scheduler.address)  # the worker that is left
    try:
        other = module_order("decoding", b"", b"", [], "another version", False)
        with pytest.raises(Refused, match="another version of llmlab or torch.*worker tcp://127.0.0.1:[0-9]+"):
            crew.submit(other).result(60)
        cells = [{"id": "first", "source": "print(6 * 7)"}, {"id": "Zw\ud800ei", "source": "print(decoding.word)"}]
        modules = {"decoding": b"word = 'seen'"}
        cells[1]["source"] = "from llmlab import decoding\n" + cells[1]["source"]
        shown = crew.submit(display_order(modules, cells, False)).result(120)["outputs"]
        assert [[output["text"] for output in outputs] for outputs in shown.values()] == [["42\n"], ["seen\n"]]
        assert list(shown) == [cell["id"] for cell in cells]
    finally:
        crew.close()


def kill_at_work(scheduler, pid):
    """Kill a worker as soon as it has a job."""
    (mine,) = [address for address, number in scheduler.pids().items() if number == pid]
    with scheduler.client() as client:
        while not client.processing([mine])[mine]:
            time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)


def test_a_worker_that_confines_nobody_is_refused(at, scheduler, others, capsys):
    classes(at, ada="")
    others(1, dask_processes.OPEN_MACHINE)
    with pytest.raises(CourseError) as told:
        pipeline.grade("lab1", at.course, crew=scheduler.address)
    assert "does not keep students' code from network, neighbours" in str(told.value) and "--unprotected" in str(told.value)
    assert "(worker tcp://127.0.0.1:" in str(told.value), "it says which"
    assert Ledger(at.ledger).read("ada", "module-decoding")["status"] == "running", "the next run grades it"


# Fake workers


def test_a_job_that_kills_every_worker_ends_and_is_the_only_one_to_suffer(at, scheduler):
    workers = scheduler.fakes(4)
    classes(at, ada="", bob="SLOW KILL", carl="SLOW", dora="", emil="SLOW", fay="")
    summary = pipeline.grade("lab1", at.course, crew=scheduler.address, record=False)
    ledger = Ledger(at.ledger)
    found = {name: ledger.read(name, "module-decoding") for name in ("ada", "bob", "carl", "dora", "emil", "fay")}
    assert found.pop("bob")["status"] == "crashed"
    assert {record["status"] for record in found.values()} == {"graded"}
    assert "3 times (WorkerLost: the worker tcp://" in ledger.read("bob", "module-decoding")["reason"]
    assert summary.examined == 6
    scheduler.wait(lambda: len(scheduler.known()) == 1, scheduler.scheduler)
    assert sorted(one.poll() is None for one in workers) == [False, False, False, True], "three tries, three workers"
    assert bytes.fromhex(found["ada"]["source"]).startswith(b"# ada"), "the bytes arrived as they were"


def test_the_command_line_gives_the_address_on(at, scheduler, capsys):
    scheduler.fakes(1)
    classes(at, ada="")
    assert command(["grade", "lab1", "--course", str(at.course.root), "--scheduler", scheduler.address]) == 0
    told = capsys.readouterr()
    assert "1 modules examined, 1 submissions recorded" in told.out
    assert "Warning" not in told.err, "the loopback address needs none"
    assert bytes.fromhex(Ledger(at.ledger).read("ada", "module-decoding")["source"]).startswith(b"# ada")


def test_jobs_wait_here_so_that_a_death_takes_one(scheduler, crew_of):
    """More jobs than workers: whoever waits behind a job that ends its worker is not blamed."""
    scheduler.fakes(2)
    crew = crew_of(scheduler.address)
    given = [crew.submit(order(source)) for source in [b"SLOW KILL", b"SLOW", *[b"SLOW %d" % n for n in range(4)]]]
    assert isinstance(given[0].exception(60), cluster.WorkerLost)
    assert [one.result(60)["status"] for one in given[1:]] == ["graded"] * 5


def test_a_new_worker_is_used(scheduler, crew_of):
    (old,) = scheduler.fakes(1)
    crew = crew_of(scheduler.address)
    assert crew.slots == 1 and crew.submit(order(b"")).result(60)["pid"] == old.pid
    _, new = scheduler.fakes(2)
    seen = set()
    while seen != {old.pid, new.pid}:
        seen |= {one.result(60)["pid"] for one in [crew.submit(order(b"SLOW")) for _ in range(2)]}
    assert crew.slots == 2


def test_all_workers_gone_ends_the_run(at, scheduler, impatient):
    scheduler.fakes(1)
    classes(at, ada="KILL", bob="")
    with pytest.raises(CourseError, match="no worker is left, for 1 s.*What is graded is kept.*dask worker tcp://"):
        pipeline.grade("lab1", at.course, crew=scheduler.address, record=False)
    records = [Ledger(at.ledger).read(name, "module-decoding")["status"] for name in ("ada", "bob")]
    assert records == ["running", "running"], "nobody is called crashed: the next run grades both"


def test_a_worker_that_fails_at_everything_gets_no_more(scheduler, crew_of, capsys):
    scheduler.fakes(1)
    crew = crew_of(scheduler.address)
    for text in (b"FAIL", b"FAIL", b"FAIL"):  # the same job, three times: the job may be at fault
        assert "No space left" in str(crew.submit(order(text)).exception(60))
    assert crew.submit(order(b"")).result(60)["status"] == "graded"
    for text in (b"FAIL 1", b"FAIL 2", b"FAIL 3"):
        assert isinstance(crew.submit(order(text)).exception(60), cluster.Failed)
    with pytest.raises(Refused, match="no worker is left.*Jobs failed on tcp://127.0.0.1:.*llmlab doctor"):
        crew.submit(order(b"")).result(60)
    assert "It gets no more" in capsys.readouterr().err


def test_a_worker_that_cannot_do_jobs_gets_none(scheduler, others, crew_of, capsys):
    """Dask's worker ends when it cannot import a job, which must not look like the deed of a student."""
    (broken,) = others(1, "import sys\nsys.modules['llmlab.grading.cluster'] = None\n")
    with pytest.raises(CourseError, match="no worker that can do the jobs: tcp://.* has no llmlab like this one"):
        crew_of(scheduler.address)
    *_, good = others(1, dask_processes.FAKE)
    crew = crew_of(scheduler.address)
    assert {crew.submit(order(b"")).result(60)["pid"] for _ in range(4)} == {good.pid}
    assert broken.poll() is None and "It gets no job: install the same there." in capsys.readouterr().err


def test_a_worker_with_another_python_gets_none(scheduler, crew_of, monkeypatch):
    scheduler.fakes(1)
    monkeypatch.setattr(cluster, "PYTHON", "3.2")
    with pytest.raises(CourseError, match="runs Python 3.1[0-9], and this is Python 3.2"):
        crew_of(scheduler.address)


def test_threads_of_a_worker_are_not_slots(scheduler, others, crew_of, capsys):
    others(1, dask_processes.FAKE, "--nthreads", "4")
    assert crew_of(scheduler.address).slots == 1
    assert "1 worker processes have 4 threads" in capsys.readouterr().err


def test_a_scheduler_without_llmlab_and_one_that_dies(tmp_path, crew_of):
    with Processes(tmp_path / "dask", "import sys\nsys.modules['llmlab.grading.cluster'] = None\n") as own:
        own.fakes(1)
        crew = crew_of(own.address)
        with pytest.raises(Refused, match="cannot do the jobs .*Install the same llmlab on it and on the scheduler's machine"):
            crew.submit(order(b"")).result(60)
        dask_processes.end(own.scheduler)
        with pytest.raises(Refused, match="the scheduler did not answer for 1 s.*What is graded is kept"):
            crew.submit(order(b"")).result(60)


# Addresses


NONE = ("nonsense", "host:8786", "tcp://host", "tcp://host:x", "http://host:1", "tcp://", "tls://:1")


@pytest.mark.parametrize("address", NONE)
def test_what_is_no_address(address):
    with pytest.raises(CourseError, match="this is not the address of a scheduler. Give it as tls://host:8786"):
        cluster.Dask(address)


def test_nobody_answers(impatient):
    with pytest.raises(CourseError, match="127.0.0.1:1: no scheduler answered in 0.5 s.*dask scheduler"):
        cluster.Dask("tcp://127.0.0.1:1", timeout=0.5)


def test_no_worker(scheduler, at):
    scheduler.fakes(0)
    classes(at, ada="")
    with pytest.raises(CourseError, match=f"it has no worker. Start some with `dask worker {scheduler.address} --nthreads 1`"):
        pipeline.grade("lab1", at.course, crew=scheduler.address)


def test_an_open_network_is_warned_of(capsys):
    cluster_address.checked("tcp://192.0.2.1:8786")
    assert "unencrypted" in capsys.readouterr().err
    cluster_address.checked("tls://192.0.2.1:8786")
    cluster_address.checked("tcp://[::1]:8786")
    assert capsys.readouterr().err == ""


# TLS


def openssl(folder, *options):
    subprocess.run(["openssl", *options], cwd=folder, check=True, capture_output=True)


def certificate(folder, authority, name):
    """A key and a certificate signed by the authority, as docs/scaling.md makes them."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    if not (folder / f"{authority}.pem").exists():
        openssl(folder, "req", "-x509", *key, "-keyout", f"{authority}.key", "-out", f"{authority}.pem", "-days", "2",
                "-subj", f"/CN={authority}")
    openssl(folder, "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
            "-CAcreateserial", "-out", f"{name}.pem", "-days", "2")


def test_certificates(at, tmp_path, impatient):
    """With a certificate of the authority a run goes through; without one, or with another's, nobody gets in."""
    import dask

    files = tmp_path / "certificates"
    files.mkdir()
    certificate(files, "authority", "grading")
    certificate(files, "stranger", "other")

    def configured(authority, name):
        both = {"cert": str(files / f"{name}.pem"), "key": str(files / f"{name}.key")}
        return dask.config.set({"distributed.comm.tls.ca-file": str(files / f"{authority}.pem"),
                                "distributed.comm.tls.client": both})

    options = ("--protocol", "tls", "--tls-ca-file", str(files / "authority.pem"), "--tls-cert", str(files / "grading.pem"),
               "--tls-key", str(files / "grading.key"))
    with configured("authority", "grading"), Processes(tmp_path / "dask", tls=options) as own:
        assert own.address.startswith("tls://")
        own.fakes(1)
        classes(at, ada="", bob="")
        pipeline.grade("lab1", at.course, crew=own.address, record=False)
        assert [Ledger(at.ledger).read(name, "module-decoding")["status"] for name in ("ada", "bob")] == ["graded"] * 2

        with pytest.raises(CourseError, match="no scheduler answered .*with certificates answers to tls:// only"):
            cluster.Dask(own.address.replace("tls:", "tcp:"), timeout=1.0)
        with configured("authority", "other"), pytest.raises(CourseError, match="no scheduler answered"):
            cluster.Dask(own.address, timeout=1.0)
        with dask.config.set({"distributed.comm.tls.ca-file": None}), pytest.raises(CourseError, match="names no certificate"):
            cluster.Dask(own.address)
        with configured("authority", "nobody"), pytest.raises(CourseError, match="cannot be used .*docs/scaling.md"):
            cluster.Dask(own.address)
