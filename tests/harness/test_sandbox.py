"""The sandbox, threat by threat. Every refusal has a positive control: the same attempt outside succeeds."""

import ctypes
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from llmlab._finder import PACKAGE
from llmlab.harness.sandbox import ESSENTIAL, bubblewrap, cgroup, landlock, paths, seccomp
from llmlab.harness.spawn import ColdStarter, WarmServer
from tests.harness.toys import run_toy, toy_case

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is for Linux")
NAMESPACES = [False, pytest.param(True, id="namespaces")]
THREATS = {*ESSENTIAL, "kernel interfaces", "privileges", "descriptors"}


@pytest.mark.parametrize("namespaces", NAMESPACES)
def test_a_fork_is_refused_everything(namespaces):
    starter = WarmServer(namespaces=namespaces)
    try:
        assert starter.wrapped == (namespaces and bool(bubblewrap.wrapper()))
        assert starter.protections() == dict.fromkeys(THREATS, True)
    finally:
        starter.close()


def test_the_proof_can_fail():
    """The same attempts in an ordinary process: nothing is refused but what no user may do."""
    code = ("import json, os\nfrom llmlab.harness.sandbox import proof\n"
            "told = {name: getattr(proof, name)() for name in ('files', 'writing', 'network', 'processes', 'memory')}\n"
            "os.write(1, json.dumps(told).encode())")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "true" not in done.stdout and done.stdout.count("false") == 5, done.stdout


def test_without_a_warm_process_nothing_is_promised():
    starter = ColdStarter()
    assert starter.protections() == dict.fromkeys(ESSENTIAL, False)
    starter.close()


def attempt(harness, code: str) -> str:
    """What a candidate says of an attempt: "done", or the kind of exception."""
    body = "\n        ".join(code.strip().splitlines())
    source = ("import ctypes, mmap, os, socket, subprocess, sys, threading, torch\n"
              f"def f():\n    try:\n        {body}\n    except BaseException as error:\n"
              "        return type(error).__name__\n    return 'done'\n")
    found = run_toy(harness, source, toy_case(expect="nothing is right here", seconds=20))
    return found.failure.got


ROOT = PACKAGE.parent
REFUSED = {
    "the solution": f"open({str(ROOT / 'solutions' / 'decoding.py')!r}).read()",
    "the hidden cases": f"open({str(ROOT / 'solutions' / 'hidden' / 'decoding.py')!r}).read()",
    "the checks": f"open({str(PACKAGE / 'checks' / 'decoding' / 'truncation.py')!r}).read()",
    "the gradebook's folder": f"os.listdir({str(ROOT / 'assignments')!r})",
    "a test": f"open({__file__!r}).read()",
    "an oracle by import": "import llmlab.checks.registry",
    "the grader by import": "import llmlab.grading.ledger",
    "its own maps": "open('/proc/self/maps').read()",
    "a file to write": "open('made', 'w').write('x')",
    "a file in /tmp": "open('/tmp/made-by-a-candidate', 'w')",
    "shared memory": "torch.zeros(3).share_memory_()",
    "memory without a limit": "os.memfd_create('m')",
    "a folder": "os.mkdir('made')",
    "a link": "os.symlink('/etc/passwd', 'made')",
    "another mode": "os.chmod(os.__file__, 0o777)",
    "a socket": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "a Unix socket": "socket.socket(socket.AF_UNIX)",
    "a shell": "subprocess.run(['true'])",
    "a fork": "os.fork()",
    "a spawn": "os.posix_spawn(sys.executable, [sys.executable, '-c', ''], {})",
    "a signal to all": "os.kill(-1, 9)",
    "a signal to the parent": "os.kill(os.getppid(), 9)",
    "a new session": "os.setsid()",
    "life after the parent": "if ctypes.CDLL(None, use_errno=True).prctl(1, 0): raise PermissionError",
    "the clock": "import time; time.clock_settime(0, 0)",
    "a priority": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))",
    "a namespace": "if ctypes.CDLL(None).unshare(0x10000000): raise PermissionError",
    "too much memory": "bytearray(5 * 2**30)",
    "too large a tensor": "torch.ones(2**31)",
    "a hundred pipes": "for _ in range(100): os.pipe()",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(harness, name):
    said = attempt(harness, REFUSED[name])
    assert said.strip("'") in ("PermissionError", "ModuleNotFoundError", "FileNotFoundError", "MemoryError", "RuntimeError",
                               "OSError"), said


GRANTED = {
    "threads": "t = threading.Thread(target=lambda: None); t.start(); t.join()",
    "torch with threads": "torch.set_num_threads(3); torch.ones(400, 400) @ torch.ones(400, 400)",
    "an import of the standard library": "import sqlite3, decimal, fractions, statistics, colorsys",
    "an import of torch's corners": "import torch.nn.functional, torch.distributions, torch.autograd; torch.ones(2, requires_grad=True).sum().backward()",
    "numpy's random numbers": "import numpy; numpy.random.default_rng(1).normal(size=3)",
    "the models": "from llmlab.models import load",
    "randomness of the system": "os.urandom(8)",
    "a pair of sockets": "a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'",
    "a signal to itself": "import signal; signal.signal(10, lambda *a: None); os.kill(os.getpid(), 10)",
    "an abort that is caught": "import faulthandler",
    "asyncio": "import asyncio; asyncio.run(asyncio.sleep(0))",
    "a pool of threads": "from concurrent.futures import ThreadPoolExecutor as P; list(P(4).map(abs, range(9)))",
    "a timer": "import signal; signal.setitimer(signal.ITIMER_REAL, 0)",
    "two gigabytes": "bytearray(2 * 2**30)",
}


@pytest.mark.parametrize("name", GRANTED)
def test_granted(harness, name):
    assert attempt(harness, GRANTED[name]).strip("'") == "done"


def test_a_candidate_cannot_end_what_it_came_from(harness):
    server = harness.starter.process.pid
    source = ("import ctypes, os, signal\ndef f():\n"
              "    for pid in (os.getppid(), -1, 0, 1, *range(2, 400)):\n"
              "        try: os.kill(pid, 9) if pid != os.getpid() else None\n"
              "        except OSError: pass\n"
              "    libc = ctypes.CDLL(None)\n"
              "    for pid in range(1, 400):\n"
              "        libc.syscall(200, pid, 9), libc.syscall(424, pid, 9, 0, 0)\n"
              "    return torch.tensor(1)\n")
    assert run_toy(harness, "import torch\n" + source, toy_case()).status == "ok"
    assert harness.starter.process.pid == server and harness.starter.process.poll() is None


def test_one_candidate_leaves_nothing_for_the_next(harness):
    """What one does to modules, to torch and to the environment is gone with it."""
    spoil = ("import builtins, os, sys, torch\nbuiltins.spoiled = torch.spoiled = sys.spoiled = 1\nos.environ['SPOILED'] = '1'\n"
             "torch.softmax = None\ndef f(): return torch.tensor(1)\n")
    assert run_toy(harness, spoil, toy_case()).status == "ok"
    look = ("import builtins, os, sys, torch\ndef f():\n    return torch.tensor([hasattr(builtins, 'spoiled'), hasattr(torch, 'spoiled'), "
            "hasattr(sys, 'spoiled'), 'SPOILED' in os.environ, torch.softmax is None])\n")
    assert run_toy(harness, look, toy_case(expect=torch.tensor([False] * 5))).status == "ok"


def test_no_expected_value_is_in_memory(harness):
    """Every object that the collector knows, in a candidate: no case, no task, no module of checks or grading."""
    source = ("import gc, sys\ndef f():\n"
              "    kinds = {type(item).__name__ for item in gc.get_objects()}\n"
              "    loaded = [name for name in sys.modules if name.startswith(('llmlab.checks.', 'llmlab.grading', 'solutions'))]\n"
              "    return [sorted(kinds & {'Case', 'Task', 'Examiner', 'Harness'}), loaded]\n")
    found = run_toy(harness, source, toy_case(expect="nothing is right here"))
    assert found.failure.got == "[[], ['llmlab.checks.protocol']]"


def test_the_rules_allow_reading_neither_the_course_nor_the_checks():
    allowed = paths.readable()
    for secret in (ROOT / "solutions", ROOT / "assignments", ROOT / "tests", PACKAGE / "checks", PACKAGE / "grading", Path("/tmp"),
                   Path("/proc/self"), Path.home() / ".ssh"):
        assert not any(secret.is_relative_to(tree) for tree in allowed.trees), secret
        assert not any(tree.is_relative_to(secret) for tree in allowed.trees if secret.name not in ("self", "tmp")), secret
    assert allowed.listed == (PACKAGE,)


def test_an_installed_package_is_readable_but_for_llmlab(tmp_path, monkeypatch):
    """As from a wheel: site-packages holds llmlab beside the others."""
    site = tmp_path / "site-packages"
    for name in ("torch", "llmlab/checks", "llmlab/models", "numpy"):
        (site / name).mkdir(parents=True)
    monkeypatch.setattr(paths, "PACKAGE", site / "llmlab")
    monkeypatch.setattr(paths, "package_folders", lambda: [site])
    trees = paths.readable().trees
    assert {site / "torch", site / "numpy", site / "llmlab" / "models"} <= set(trees)
    assert site not in trees and site / "llmlab" not in trees and site / "llmlab" / "checks" not in trees


@pytest.mark.parametrize("abi", range(1, 8))
def test_every_version_of_landlock_gets_all_it_knows(abi):
    files, tcp, scopes = landlock.handled(abi)
    assert files.bit_count() == {1: 13, 2: 14, 3: 15, 4: 15}.get(abi, 16)
    assert (tcp, scopes) == (3 if abi >= 4 else 0, 3 if abi >= 6 else 0)


def test_the_filter_names_only_calls_that_exist_and_none_that_opens_a_door():
    library = seccomp.prepare()
    assert library is not None, "libseccomp is missing"
    unknown = []
    for name in seccomp.ALLOWED:
        try:
            library.resolve_syscall(library.system_arch(), name)
        except ValueError:
            unknown.append(name)
    assert len(unknown) <= 2, unknown
    doors = {"fork", "vfork", "clone3", "execve", "execveat", "socket", "connect", "bind", "ptrace", "bpf", "io_uring_setup",
             "memfd_create", "shmget", "userfaultfd", "mount", "unshare", "setns", "chmod", "chown", "utimensat", "setxattr",
             "pidfd_open", "kill", "tkill", "process_vm_writev", "keyctl", "perf_event_open", "setsid", "setpgid", "prctl"}
    assert not doors & set(seccomp.ALLOWED)


def test_a_group_is_made_where_the_controller_is_delegated(tmp_path):
    """A simulated control group tree: real ones need a delegated controller."""
    group = tmp_path / "user.slice" / "session"
    group.mkdir(parents=True)
    (tmp_path / "cgroup.controllers").write_text("memory pids")
    (group / "cgroup.controllers").write_text("cpu memory pids\n")
    made = cgroup.confine(123, 10**9, tmp_path, "0::/user.slice/session\n")
    assert made.parent == group and (made / "memory.max").read_text() == "1000000000"
    assert (made / "cgroup.procs").read_text() == "123" and int((made / "pids.max").read_text()) > 100


@pytest.mark.parametrize("controllers", ["cpu pids", ""])
def test_no_group_without_the_memory_controller(tmp_path, controllers):
    (tmp_path / "cgroup.controllers").write_text(controllers)
    assert cgroup.confine(123, 10**9, tmp_path, "0::/\n") is None
    assert cgroup.confine(123, 10**9, tmp_path / "absent", "0::/\n") is None
    assert [entry.name for entry in tmp_path.iterdir()] == ["cgroup.controllers"]


def test_a_frame_cannot_use_its_bytes_twice():
    from llmlab.harness import wire

    frame = bytearray(wire.encode([torch.zeros(1000), torch.ones(1000)]))
    text = int.from_bytes(frame[:8], "big")
    changed = bytes(frame[16:16 + text]).replace(b'"at": 4000', b'"at": 0   ').replace(b'"n": 4000', b'"n": 4000')
    both = struct.pack(">QQ", len(changed), 8000) + changed + bytes(frame[16 + text:])
    assert torch.equal(wire.decode(both)[1], torch.zeros(1000))  # two halves of the budget: allowed
    whole = changed.replace(b"[1000]", b"[2000]").replace(b'"n": 4000', b'"n": 8000')
    with pytest.raises(wire.WireError, match="share"):
        wire.decode(struct.pack(">QQ", len(whole), 8000) + whole + bytes(frame[16 + text:]))


def test_capabilities_are_a_real_thing_here():
    """The control of `privileges`: an ordinary root process has some, and the reading of them works."""
    told, header = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 2)(0x20080522, 0)
    assert ctypes.CDLL(None).capget(header, told) == 0
    assert any(told) == (os.geteuid() == 0)
