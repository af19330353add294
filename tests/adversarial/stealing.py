"""Stealing: what the trusted side knows and others have handed in. Each probe is a function that runs in a student's
process, is told where everything lies, and returns what it got of it. It must get nothing.
"""

from __future__ import annotations

import ctypes
import gc
import glob
import linecache
import mmap
import os
import socket
import stat
import sys

import torch

from tests.adversarial.attack import Probe, attempt, hold, refused


def reads_the_instructors_files(world):
    """open() and os.open() on the solution, hidden cases, gradebook, ledger, roster, tests and classmates' work."""
    found = []
    for file in world["files"]:
        attempt(found, "open", lambda: open(file).read())
        attempt(found, "os.open", lambda: os.read(os.open(file, os.O_RDONLY), 100))
    return found


def lists_the_instructors_folders(world):
    """os.listdir, os.walk, glob and os.stat on the course and on the inbox: names and sizes tell something too."""
    found = []
    attempt(found, "listdir", lambda: os.listdir(world["root"]))
    attempt(found, "walk", lambda: next(os.walk(world["root"]))[1])
    attempt(found, "glob", lambda: glob.glob(world["root"] + "/assignments/inbox/*"))
    attempt(found, "scandir", lambda: [one.name for one in os.scandir(world["root"] + "/assignments/submitted")])
    return found


def reads_by_other_ways(world):
    """The same by links, relative paths, /proc/self/root, O_PATH, sendfile, mmap, linecache, torch.load and exec."""
    file, found = world["files"][0], []
    attempt(found, "relative", lambda: open(os.path.relpath(file)).read())
    attempt(found, "proc root", lambda: open("/proc/self/root" + file).read())
    attempt(found, "proc cwd", lambda: open("/proc/self/cwd/" + os.path.relpath(file)).read())
    attempt(found, "dir_fd", lambda: os.open(os.path.basename(file), os.O_RDONLY, dir_fd=os.open(os.path.dirname(file),
                                                                                                os.O_PATH)))
    attempt(found, "mmap", lambda: mmap.mmap(os.open(file, os.O_RDONLY), 0, prot=mmap.PROT_READ)[:])
    attempt(found, "linecache", lambda: linecache.getlines(file))
    attempt(found, "from_file", lambda: torch.from_file(file, shared=False, size=8, dtype=torch.uint8).tolist())
    attempt(found, "exec", lambda: __import__("runpy").run_path(file) and "ran")
    attempt(found, "import", lambda: sys.path.insert(0, os.path.dirname(file)) or __import__("decoding").__file__)
    attempt(found, "libc fopen", lambda: ctypes.CDLL(None).fopen(file.encode(), b"r") != 0)
    return found


def reads_the_repository(world):
    """The real solutions, mutants, hidden cases, checks, tests and git history in the checkout the grader runs from."""
    found = []
    for name in ("solutions/decoding.py", "solutions/hidden/decoding.py", "llmlab/checks/decoding/shaping.py",
                 "llmlab/grading/verdicts.py", "tests/harness/toys.py", "pyproject.toml", ".git/HEAD",
                 "assignments/roster.csv"):
        attempt(found, name, lambda: open(world["repository"] + "/" + name).read()[:50])
    return found


def reads_the_grading_users_files(world):
    """The home folder, its keys and histories, /etc/shadow, /root, temporary folders and the kernel's log."""
    found = []
    for name in (world["home"], "/home", "/root", "/tmp", "/var/tmp", "/dev/shm", "/run", "/mnt"):
        attempt(found, name, lambda: os.listdir(name))
    for name in ("/etc/shadow", "/etc/passwd", "/etc/hostname", "/dev/kmsg", "/dev/mem", world["home"] + "/.bashrc"):
        attempt(found, name, lambda: open(name, "rb").read(20))
    return found


def imports_the_checks(world):
    """Imports the oracles, the judge and the grader, to ask them for the answers."""
    found = []
    for name in ("llmlab.checks.decoding", "llmlab.checks.judging", "llmlab.checks.registry", "llmlab.checks.compare",
                 "llmlab.checks.answers", "llmlab.grading.hidden", "llmlab.harness.runner", "solutions.decoding"):
        attempt(found, name, lambda: __import__("importlib").import_module(name).__name__)
    return found


def finds_checks_already_loaded(world):
    """Looks in sys.modules for anything of the checks but the words they share with the harness, and for pytest."""
    given = {"llmlab.checks", "llmlab.checks.protocol"}
    names = [name for name in sys.modules if name.startswith(("llmlab.checks", "llmlab.grading", "llmlab.cli", "solutions",
                                                               "nbgrader", "pytest", "_pytest", "llmlab.harness.runner"))]
    return [name for name in names if name not in given]


def finds_cases_with_gc(world):
    """Asks the garbage collector for every case, task, expectation, judge and report in the process."""
    return [type(one).__name__ for one in gc.get_objects()
            if type(one).__name__ in ("Case", "Task", "Expect", "Refuse", "Report", "Examiner", "Harness",
                                      "Candidate", "Ledger", "Model")]


def finds_the_expected_value_with_gc(world):
    """Looks for the number it should return in everything that the garbage collector knows, but for its own arguments."""
    mine = {id(world), id(sys._getframe().f_locals)}
    for one in gc.get_referrers(world):
        mine.add(id(one))
    return hold([one for one in gc.get_objects() if id(one) not in mine and type(one) is torch.Tensor], world["needle"])


def finds_the_expected_value_in_frames(world):
    """Walks up the stack and through every thread's frames, looking into all locals and globals."""
    found, frames = [], [sys._getframe(1), *sys._current_frames().values()]
    while frames:
        frame = frames.pop()
        for name, one in {**frame.f_globals, **frame.f_locals}.items():
            if name in ("expect", "expected", "case", "cases", "verdict", "hidden", "SEED"):
                found.append(f"{frame.f_code.co_name}: {name}")
            if isinstance(one, torch.Tensor) and hold([one], world["needle"]):
                found.append(f"{frame.f_code.co_name}: {name} holds it")
        if frame.f_back:
            frames.append(frame.f_back)
    return found


def finds_earlier_submissions(world):
    """Looks for the text of a submission that was checked in a fork of the same process before: gc, linecache, modules."""
    mark = "-".join(("left", "by", "an", "earlier", "submission"))
    found = [type(one).__name__ for one in gc.get_objects() if isinstance(one, (list, tuple))
             and any(isinstance(item, str) and mark in item for item in one)]
    found += [name for name, entry in linecache.cache.items() if any(mark in str(part) for part in entry)]
    found += [name for name, one in list(sys.modules.items()) if mark.replace("-", "_") in vars(one)]
    found += [name for name in os.environ if "EARLIER" in name]
    return found


def reads_its_environment(world):
    """The environment: only what every candidate gets, and no secret."""
    given = {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE",
             "PYTHONUTF8", "PATH", "GLIBC_TUNABLES", "LC_CTYPE", "MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR"}
    return [name for name in os.environ if name not in given]


def reads_other_processes_environment(world):
    """/proc/PID/environ of the trusted process, of the one it was forked from, and of a stranger."""
    found = []
    for pid in [*world["pids"], os.getppid(), 1]:
        attempt(found, f"{pid}", lambda: open(f"/proc/{pid}/environ", "rb").read()[:60])
    return found


def reads_other_processes_memory(world):
    """/proc/PID/mem and maps, and process_vm_readv, on the trusted process and on the one it was forked from."""
    found, libc = [], ctypes.CDLL(None, use_errno=True)
    for pid in [*world["pids"], os.getppid()]:
        attempt(found, f"maps {pid}", lambda: open(f"/proc/{pid}/maps").read(60))
        attempt(found, f"mem {pid}", lambda: str(os.open(f"/proc/{pid}/mem", os.O_RDONLY)))
        here = ctypes.create_string_buffer(8)
        there = (ctypes.c_size_t * 2)(ctypes.addressof(here), 8)
        if libc.process_vm_readv(pid, there, 1, there, 1, 0) >= 0 or not refused(ctypes.get_errno()):
            found.append(f"process_vm_readv {pid}")
    return found


def lists_processes(world):
    """/proc: the numbers, command lines, folders and open files of other processes."""
    found = []
    attempt(found, "listdir", lambda: [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()])
    for pid in [*world["pids"], os.getppid(), 1]:
        attempt(found, "cmdline", lambda: open(f"/proc/{pid}/cmdline", "rb").read())
        attempt(found, "cwd", lambda: os.listdir(f"/proc/{pid}/cwd"))
        attempt(found, "fd", lambda: os.listdir(f"/proc/{pid}/fd"))
        attempt(found, "root", lambda: os.listdir(f"/proc/{pid}/root"))
    return found


def uses_inherited_descriptors(world):
    """Looks for files, folders, pipes and sockets that are open, besides its one channel and /dev/null."""
    kinds = []
    for number in range(256):
        try:
            mode = os.fstat(number).st_mode
        except OSError:
            continue
        kinds.append("socket" if stat.S_ISSOCK(mode) else "null" if stat.S_ISCHR(mode) else "file")
    return [kind for kind in kinds if kind == "file"] + [f"{kinds.count('socket')} sockets"] * (kinds.count("socket") > 1)


def connects_over_tcp(world):
    """socket, http.client, urllib and asyncio to a listener on this machine."""
    found = []
    attempt(found, "create_connection", lambda: socket.create_connection(("127.0.0.1", world["tcp"]), 1) and "connected")
    attempt(found, "connect_ex", lambda: socket.socket().connect_ex(("127.0.0.1", world["tcp"])) == 0)
    attempt(found, "urllib", lambda: __import__("urllib.request").request.urlopen(
        f"http://127.0.0.1:{world['tcp']}", timeout=0.2).read())
    return found


def sends_over_udp(world):
    """A datagram to a listener on this machine, as a name server's would be: Landlock alone lets it pass."""
    found = []
    attempt(found, "sendto", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1",
                                                                                                   world["udp"])))
    return found


def opens_sockets(world):
    """Sockets of every family: IPv6, raw, packet, netlink, vsock, Bluetooth, crypto; also listening ones."""
    found = []
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, 16, 17, 38, 40):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            attempt(found, f"family {family} kind {kind}", lambda: socket.socket(family, kind) and "opened")
    attempt(found, "listens", lambda: socket.create_server(("127.0.0.1", 0)).getsockname())
    return found


def connects_to_unix_sockets(world):
    """A named and an abstract socket of this machine: a session bus, a Docker daemon, a database."""
    found = []
    for address in (world["unix"], "\0" + world["abstract"], "/var/run/docker.sock", "/run/dbus/system_bus_socket"):
        attempt(found, repr(address), lambda: socket.socket(socket.AF_UNIX).connect(address) or "connected")
    return found


def reads_shared_memory(world):
    """Segments in /dev/shm that another process made, and System V segments."""
    found = []
    attempt(found, "file", lambda: open(world["shm"]).read())
    attempt(found, "SharedMemory", lambda: bytes(__import__("multiprocessing.shared_memory").shared_memory.SharedMemory(
        os.path.basename(world["shm"])).buf[:8]))
    attempt(found, "shmget", lambda: ctypes.CDLL(None).shmget(1234, 4096, 0o1666) >= 0)
    return found


def asks_the_machine(world):
    """What tells machines and moments apart: machine id, boot id, host name files, network interfaces, mounts."""
    found = []
    for name in ("/etc/machine-id", "/proc/sys/kernel/random/boot_id", "/proc/net/tcp", "/proc/mounts", "/proc/net/route",
                 "/proc/self/mountinfo", "/sys/class/net", "/proc/1/cmdline", "/proc/loadavg"):
        attempt(found, name, lambda: os.listdir(name) if os.path.isdir(name) else open(name).read(40))
    return found


TABLES = [Probe("stealing", function) for function in (
    reads_the_instructors_files, lists_the_instructors_folders, reads_by_other_ways, reads_the_repository,
    reads_the_grading_users_files, imports_the_checks, finds_checks_already_loaded, finds_cases_with_gc,
    finds_the_expected_value_with_gc, finds_the_expected_value_in_frames, finds_earlier_submissions, reads_its_environment,
    reads_other_processes_environment, reads_other_processes_memory, lists_processes, uses_inherited_descriptors,
    connects_over_tcp, sends_over_udp, opens_sockets, connects_to_unix_sockets, reads_shared_memory, asks_the_machine)]

EARLIER = '''
import os
left_by_an_earlier_submission = "left-by-an-earlier-submission"
KEPT = [left_by_an_earlier_submission]
os.environ["EARLIER"] = left_by_an_earlier_submission
def top_k(logits, k): return logits
'''
"""A submission that leaves what it can in its process."""
