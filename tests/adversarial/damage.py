"""Damage: to the machine, to the grader, to other submissions. Attacks cost their own question; probes must not manage
anything. Everything here is bounded, so that a grader without protections survives being tested: a bomb of a hundred
processes, floods of some hundred megabytes, and real signals only at a warm process that the harness can replace.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import glob
import mmap
import os
import platform
import resource
import signal
import socket
import sys
import threading
import time

from tests.adversarial.attack import NONE, Attack, Probe, attempt, refused
from tests.adversarial.forging import top_k


def harms(name: str, tries: str, body: str, says: tuple[str, ...], before: str = "", seconds: float = 5.0,
          gets: float = 0.0) -> Attack:
    """An attack in the place of top_k, beside right answers to the rest."""
    head = "import ctypes, itertools, mmap, os, signal, sys, threading, time\nimport torch\n"
    return Attack(name, "damage", tries, head + top_k(body, before), {"top_k": gets}, says, seconds=seconds)


def bombs(name: str, tries: str, body: str, says: tuple[str, ...] = ("wrong", "crashed", "timeout"), before: str = "",
          seconds: float = 5.0) -> Attack:
    """The same, but only the first call in a process does it: once is enough, and it takes long."""
    once = "if DONE: return logits\nDONE.append(1)\n"
    return harms(name, tries, once + body, says, "DONE = []\n" + before, seconds)


IGNORE = "for n in range(1, 32):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"

LOOPS = [
    harms("endless-loop", "a loop that never ends", "while True: pass", ("timeout",), seconds=0.4),
    harms("endless-sleep", "sleeps for an hour", "time.sleep(3600)", ("timeout",), seconds=0.4),
    harms("endless-loop-in-c", "a loop inside the interpreter, where no signal handler runs",
          "sum(itertools.count())", ("timeout",), seconds=0.4),
    harms("loop-that-ignores-signals", "ignores every signal that can be ignored, and loops",
          IGNORE + "while True:\n    try:\n        while True: time.sleep(1)\n    except BaseException: pass",
          ("timeout",), seconds=0.4),
    harms("stops-itself", "SIGSTOP to itself, to be waited for", "os.kill(os.getpid(), signal.SIGSTOP)\nwhile True: pass",
          ("timeout", "crashed", "wrong"), seconds=0.4),
    harms("regular-expression", "a regular expression that takes exponential time",
          "import re\nre.match('(a+)+$', 'a' * 60 + 'b')", ("timeout",), seconds=0.4),
    harms("huge-power", "an integer of a billion digits", "return 10 ** 10 ** 10", ("timeout", "wrong", "crashed"),
          seconds=0.4),
    harms("deadlock", "a lock taken twice", "lock = threading.Lock()\nlock.acquire()\nlock.acquire()", ("timeout",),
          seconds=0.4),
    harms("threads-that-never-end", "returns, and leaves busy threads",
          "for _ in range(20): threading.Thread(target=spin, daemon=True).start()\nreturn logits",
          ("wrong", "timeout", "crashed"), "def spin():\n    while True: pass\n", seconds=1),
    harms("non-daemon-thread", "a thread that the interpreter would wait for at exit",
          "threading.Thread(target=time.sleep, args=(3600,)).start()\nreturn logits", ("wrong", "timeout", "crashed"), seconds=2),
    harms("loop-in-a-finalizer", "a result whose finalizer never ends",
          "return Slow(k)", ("timeout", "wrong"), "class Slow(float):\n    def __float__(self):\n        while True: pass\n",
          seconds=0.4),
    harms("loop-in-repr", "an exception whose text takes for ever", "raise Slow()", ("timeout",),
          "class Slow(Exception):\n    def __str__(self):\n        while True: pass\n", seconds=0.4),
]

BOMBS = [
    bombs("memory-bytes", "asks for 64 GiB at once", "return bytearray(2 ** 36)", ("wrong",)),
    bombs("memory-touched", "takes and fills memory piece by piece",
          "kept = []\nwhile True: kept.append(b'x' * 2 ** 28)", seconds=1),
    bombs("memory-torch", "tensors without end", "kept = []\nwhile True: kept.append(torch.ones(2 ** 26))",
          seconds=1),
    bombs("memory-mmap", "anonymous and shared maps", "kept = []\nwhile True: kept.append(mmap.mmap(-1, 2 ** 30))",
          ("wrong", "crashed")),
    bombs("memory-recursion", "recursion without end, with the limit raised",
          "sys.setrecursionlimit(10 ** 9)\nreturn top_k(logits, k)"),
    bombs("memory-integers", "doubling a string", "x = 'x'\nwhile True: x += x", seconds=1),
    bombs("thread-bomb", "5,000 threads",
          "for _ in range(5000): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nreturn logits",
          ("wrong", "timeout", "crashed"), seconds=3),
    bombs("descriptor-bomb", "opens /dev/null and pipes until nothing more opens",
          "while True: kept.append(os.pipe())", ("wrong", "crashed", "timeout"), "kept = []\n", seconds=3),
    bombs("huge-result", "returns half a gigabyte", "return torch.zeros(2 ** 27)"),
    bombs("many-items", "returns three million things", "return [[1.5]] * 3_000_000"),
    bombs("deep-result", "returns lists in lists, 100,000 deep",
          "x = []\nfor _ in range(100_000): x = [x]\nreturn x"),
    bombs("long-message", "an exception with a message of 100 MB", "raise ValueError('x' * 100_000_000)", ("wrong", "partial")),
    bombs("huge-name", "an exception class with a name of a megabyte", "raise type('x' * 1_000_000, (Exception,), {})()",
          ("wrong",)),
    bombs("huge-repr", "an object whose repr is huge", "raise KeyError(Big())", ("wrong", "crashed", "timeout"),
          "class Big:\n    def __repr__(self): return 'x' * 200_000_000\n"),
    bombs("exception-chain", "a traceback of 100,000 frames", "sys.setrecursionlimit(100_000)\nreturn deep(50_000)",
          ("wrong", "crashed"), "def deep(n): return deep(n - 1) if n else 1 / 0\n"),
]

FLOODS = [
    bombs("print-flood", "prints 200 MB", "for _ in range(200): print('x' * 1_000_000)\nreturn logits", ("wrong",)),
    harms("endless-printing", "prints for ever", "while True: print('flood')", ("timeout",), seconds=0.4),
    bombs("descriptor-flood", "writes 100 MB on the descriptors 1 and 2 directly",
          "for _ in range(100):\n    for fd in (1, 2):\n        try: os.write(fd, b'x' * 500_000)\n        except OSError: pass\n"
          "return logits", ("wrong",)),
    bombs("warnings-flood", "a million warnings", "import warnings\nwarnings.simplefilter('always')\n"
          "for n in range(20_000): warnings.warn(str(n))\nreturn logits", ("wrong", "timeout")),
    harms("control-characters", "prints escape sequences, bells, bidi marks, null bytes and lone surrogates",
          r"print('\x1b[2J\x1b]0;owned\x07\x00\u202e\ud800' * 100)" "\nraise ValueError('\\x1b[31m\\x00\\u202e\\ud800<script>')",
          ("wrong", "partial")),
]

ENDS = [
    harms("exit", "os._exit(0), as if all were well", "os._exit(0)", ("crashed",)),
    harms("system-exit", "sys.exit and SystemExit", "sys.exit(0)", ("wrong",)),
    harms("abort", "os.abort()", "os.abort()", ("crashed",)),
    harms("segmentation-fault", "reads address 0", "ctypes.string_at(0)", ("crashed",)),
    bombs("stack-overflow", "overflows the C stack", "import json\nx = []\nfor _ in range(10**5): x = [x]\n"
          "sys.setrecursionlimit(10 ** 8)\nrepr(x)\njson.dumps(x)"),
    harms("kills-itself", "kill -9 of its own process", "os.kill(os.getpid(), signal.SIGKILL)", ("crashed",)),
    harms("kills-its-group", "kill of its process group", "os.killpg(0, signal.SIGKILL)", ("crashed", "wrong")),
    harms("interpreter-internals", "writes over the reference counts of None and of True",
          "for one in (None, True, 0, int, torch.Tensor):\n    ctypes.memset(id(one), 0, 16)\nreturn logits",
          ("wrong", "crashed")),
    harms("finalizes-python", "ends the interpreter from inside", "ctypes.pythonapi.Py_Finalize()\nreturn logits",
          ("crashed", "wrong", "timeout"), seconds=1),
    harms("fault-handler", "faulthandler, core files and crash handlers",
          "import faulthandler, resource\nresource.setrlimit(resource.RLIMIT_CORE, (-1, -1))\n"
          "faulthandler.enable(file=open('core', 'w'))\nfaulthandler._sigsegv()", ("crashed", "wrong")),
    Attack("ends-while-it-is-read", "damage", "ends the process when the file is read", "import os\nos._exit(1)\n", NONE,
           ("crashed",)),
    Attack("crashes-while-it-is-read", "damage", "a segmentation fault when the file is read",
           "import ctypes\nctypes.string_at(0)\n", NONE, ("crashed",)),
    harms("result-that-runs-code", "objects with __reduce__, which a pickle would run", "return Boom()", ("wrong",), """
class Boom:
    def __reduce__(self): return (os.system, ("touch /tmp/llmlab-was-here-reduce",))
    def __reduce_ex__(self, version): return self.__reduce__()
    def __getstate__(self): return {}
    def __deepcopy__(self, memo): os.abort()
"""),
    harms("saves-a-pickle", "a .pt file whose loading runs code, and torch.hub", """
class Boom:
    def __reduce__(self): return (os.system, ("touch /tmp/llmlab-was-here-pt",))
torch.save(Boom(), "decoding.pt")
torch.load("decoding.pt", weights_only=False)
""", ("wrong", "partial")),
]


def sends_signals(world):
    """Signal 0 and SIGURG, which harm nobody, to the trusted process, its parent's, a stranger, a group and everybody."""
    found = []
    for pid in [*world["pids"], os.getppid(), 1, 0 - os.getppid(), -1]:
        if pid in (0, -0):
            continue
        attempt(found, f"kill {pid}", lambda: os.kill(pid, 0) or "sent")
        attempt(found, f"SIGURG {pid}", lambda: os.kill(pid, signal.SIGURG) or "sent")
    attempt(found, "pidfd", lambda: os.pidfd_open(world["pids"][0]))
    attempt(found, "tgkill", lambda: ctypes.CDLL(None).tgkill(world["pids"][0], world["pids"][0], 0) == 0)
    return found


def signals_by_owning_a_descriptor(world):
    """F_SETOWN and SIGIO: the kernel would send the signal when the channel is written to."""
    found = []
    for pid in [*world["pids"], os.getppid()]:
        for fd in range(3, 64):
            try:
                fcntl.fcntl(fd, fcntl.F_SETOWN, pid)
                found.append(f"{fd} owned by {fcntl.fcntl(fd, fcntl.F_GETOWN)}")
                fcntl.fcntl(fd, fcntl.F_SETOWN, 0)
            except OSError:
                continue
    return found


def starts_processes(world):
    """fork, spawn, system, popen, subprocess, multiprocessing, pty and exec."""
    found = []

    def fork(how):
        pid = how()
        if pid == 0:
            os._exit(0)
        return os.waitpid(pid, 0) and "forked"

    attempt(found, "fork", lambda: fork(os.fork))
    attempt(found, "forkpty", lambda: fork(lambda: os.forkpty()[0]))
    attempt(found, "spawn", lambda: os.posix_spawn("/bin/true", ["true"], {}))
    attempt(found, "system", lambda: os.system("true") == 0)
    attempt(found, "subprocess", lambda: __import__("subprocess").run(["/bin/true"]).returncode == 0)
    attempt(found, "shell", lambda: __import__("subprocess").check_output("id", shell=True))
    attempt(found, "popen", lambda: os.popen("id").read())
    return found


def survives_its_process(world):
    """A double fork with setsid, which would outlive the kill of the group."""
    found = []

    def orphan():
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(20)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        return "an orphan runs"

    attempt(found, "double fork", orphan)
    return found


def fork_bomb(world):
    """A hundred processes that each stay: forks until it is refused."""
    count = 0
    for _ in range(100):
        try:
            if os.fork() == 0:
                time.sleep(5)
                os._exit(0)
        except OSError:
            break
        count += 1
    return [f"{count} processes"] * (count > 0)


def leaves_its_group(world):
    """setsid, setpgid, a session of its own, another parent: what could keep the kill from reaching it."""
    found = []
    attempt(found, "setsid", lambda: os.setsid() or "new session")
    attempt(found, "setpgid", lambda: os.setpgid(0, os.getppid()) or "in its group")
    attempt(found, "subreaper", lambda: ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0)
    attempt(found, "undo death signal", lambda: ctypes.CDLL(None).prctl(1, 0, 0, 0, 0) == 0)
    return found


def writes_files(world):
    """Creates, appends, renames, truncates and removes: in its folder, temporary folders, home, the course, the package."""
    found = []
    places = [".", "/tmp", "/var/tmp", "/dev/shm", "/dev", "/run", world["home"], world["root"], world["repository"],
              world["python"], os.path.dirname(torch.__file__)]
    for place in places:
        name = f"{place}/llmlab-was-here-{os.getpid()}"
        attempt(found, f"write {place}", lambda: open(name, "w").write("x"))
        attempt(found, f"mkdir {place}", lambda: os.mkdir(name + "d") or "made")
        attempt(found, f"symlink {place}", lambda: os.symlink("/etc/passwd", name + "l") or "made")
        attempt(found, f"fifo {place}", lambda: os.mkfifo(name + "f") or "made")
        for made in glob.glob(name + "*"):
            os.rmdir(made) if os.path.isdir(made) and not os.path.islink(made) else os.unlink(made)
    attempt(found, "tempfile", lambda: __import__("tempfile").TemporaryFile() and "made")
    return found


def changes_the_instructors_files(world):
    """Appends to, truncates, chmods, links, renames and removes what is the instructor's, world-writable as it is."""
    found = []
    for file in world["files"]:
        attempt(found, "append", lambda: open(file, "a").write("x"))
        attempt(found, "truncate", lambda: os.truncate(file, 0) or "done")
        attempt(found, "chmod", lambda: os.chmod(file, 0o777) or "done")
        attempt(found, "utime", lambda: os.utime(file, (0, 0)) or "done")
        attempt(found, "link", lambda: os.link(file, file + ".2") or "done")
        attempt(found, "rename", lambda: os.rename(file, file + ".3") or "done")
        attempt(found, "setxattr", lambda: os.setxattr(file, "user.x", b"x") or "done")
        attempt(found, "unlink", lambda: os.unlink(file) or "done")
    return found


def writes_startup_files(world):
    """What other programs read when they start: .pth, sitecustomize, IPython, matplotlib, nbgrader, pytest, git hooks."""
    found = []
    site = os.path.dirname(os.path.dirname(torch.__file__))
    for name in (f"{site}/llmlab-was-here.pth", f"{site}/sitecustomize.py", f"{world['home']}/.ipython/llmlab-was-here.py",
                 f"{world['home']}/.config/matplotlib/llmlab-was-here", f"{world['home']}/.bashrc.llmlab-was-here",
                 f"{world['root']}/assignments/nbgrader_config.py", f"{world['root']}/conftest.py",
                 f"{world['repository']}/.git/hooks/llmlab-was-here"):
        attempt(found, name, lambda: os.open(name, os.O_WRONLY | os.O_APPEND | (0 if os.path.exists(name) else os.O_CREAT)))
    return found


def fills_the_disk(world):
    """Many bytes and many names: 64 MB and 2,000 files in every folder that takes them, and in memory files."""
    found = []
    for place in (".", "/tmp", "/var/tmp", "/dev/shm"):
        name = f"{place}/llmlab-was-here-full"
        try:
            with open(name, "wb") as stream:
                for _ in range(64):
                    stream.write(b"x" * 2 ** 20)
            found.append(f"64 MB in {place}")
        except OSError:
            pass
        attempt(found, f"names in {place}", lambda: [open(f"{name}{n}", "w").close() for n in range(2000)] and "2000")
        for made in glob.glob(name + "*"):
            os.unlink(made)
    attempt(found, "memfd", lambda: os.memfd_create("x"))
    attempt(found, "semaphore", lambda: __import__("multiprocessing").Lock() and "made")
    return found


def lifts_its_limits(world):
    """setrlimit, also on its parent; nice, affinity and out-of-memory score: to get more, or to make others slow."""
    found = []
    for what in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_CORE", "RLIMIT_NOFILE", "RLIMIT_FSIZE"):
        number = getattr(resource, what)
        hard = resource.getrlimit(number)[1]
        more = hard + 1 if hard != resource.RLIM_INFINITY else -1
        attempt(found, what, lambda: resource.setrlimit(number, (more, more)) or "lifted")
    for pid in [*world["pids"], os.getppid()]:
        attempt(found, f"prlimit {pid}", lambda: resource.prlimit(pid, resource.RLIMIT_CPU, resource.prlimit(
            pid, resource.RLIMIT_CPU)) or "set")
        attempt(found, f"affinity {pid}", lambda: os.sched_setaffinity(pid, os.sched_getaffinity(pid)) or "set")
        attempt(found, f"priority {pid}", lambda: os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, pid))
                or "set")
        attempt(found, f"oom {pid}", lambda: open(f"/proc/{pid}/oom_score_adj", "w").write("1000"))
    attempt(found, "priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, -20) or "raised")
    attempt(found, "real time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)) or "raised")
    return found


def becomes_somebody_else(world):
    """setuid, setgid, chroot, capabilities, user namespaces, mounts and the host's name."""
    found = []
    libc = ctypes.CDLL(None, use_errno=True)
    attempt(found, "setuid", lambda: os.setuid(12345) or "done")
    attempt(found, "setgroups", lambda: os.setgroups([]) or "done")
    attempt(found, "chroot", lambda: os.chroot("/") or "done")
    for name, number in (("user", 0x10000000), ("mount", 0x20000), ("net", 0x40000000), ("pid", 0x20000000)):
        if libc.unshare(number) == 0:
            found.append(f"unshare {name}")
    attempt(found, "sethostname", lambda: socket.sethostname(socket.gethostname()) or "done")
    if libc.mount(b"none", b"/nowhere-llmlab", b"tmpfs", 0, None) == 0 or not refused(ctypes.get_errno()):
        found.append("mount")
    return found


def traces_and_writes_memory(world):
    """ptrace, /proc/PID/mem for writing, process_vm_writev, kcmp and pidfd_getfd on its parent and on strangers."""
    found, libc = [], ctypes.CDLL(None, use_errno=True)
    for pid in [*world["pids"], os.getppid()]:
        attempt(found, f"mem {pid}", lambda: os.open(f"/proc/{pid}/mem", os.O_RDWR))
        empty = (ctypes.c_size_t * 2)(0, 0)
        if libc.process_vm_writev(pid, empty, 1, empty, 1, 0) >= 0 or not refused(ctypes.get_errno()):
            found.append(f"process_vm_writev {pid}")
    if libc.ptrace(16, 0, 0, 0) == 0 or not refused(ctypes.get_errno()):  # PTRACE_ATTACH to nobody
        found.append("ptrace is there")
    return found


def raw_system_calls(world):
    """The same by number, past every library: fork, clone, execve, socket, kill, ptrace, io_uring, bpf, keyctl, memfd."""
    libc, found = ctypes.CDLL(None, use_errno=True), []
    parent = os.getppid()
    x86 = platform.machine() == "x86_64"
    how = (ctypes.c_uint64 * 3)(os.O_WRONLY | os.O_CREAT, 0o600, 0)
    calls = {
        "execve": (59 if x86 else 221, b"/nowhere-llmlab", 0, 0), "execveat": (322 if x86 else 281, -100, b"/nowhere", 0, 0, 0),
        "socket": (41 if x86 else 198, 2, 1, 0), "socket udp": (41 if x86 else 198, 2, 2, 0),
        "socket netlink": (41 if x86 else 198, 16, 3, 0), "connect": (42 if x86 else 203, -1, 0, 0),
        "kill": (62 if x86 else 129, parent, 0), "tkill": (200 if x86 else 130, parent, 0),
        "tgkill": (234 if x86 else 131, parent, parent, 0), "rt_sigqueueinfo": (129 if x86 else 138, parent, 0, 0),
        "pidfd_open": (434, parent, 0), "pidfd_send_signal": (424, -1, 0, 0, 0), "pidfd_getfd": (438, -1, 0, 0),
        "ptrace": (101 if x86 else 117, 16, 0, 0, 0), "process_vm_readv": (310 if x86 else 270, parent, 0, 0, 0, 0, 0),
        "process_vm_writev": (311 if x86 else 271, parent, 0, 0, 0, 0, 0), "kcmp": (312 if x86 else 272, parent, parent, 0, 0, 0),
        "memfd_create": (319 if x86 else 279, b"x", 0), "memfd_secret": (447, 0), "shmget": (29 if x86 else 194, 0, 4096, 0o1666),
        "msgget": (68 if x86 else 186, 0, 0o1666), "semget": (64 if x86 else 190, 0, 1, 0o1666),
        "mq_open": (240 if x86 else 180, b"llmlab", 0o102, 0o600, 0),
        "io_uring_setup": (425, 1, 0), "io_uring_enter": (426, -1, 0, 0, 0, 0), "bpf": (321 if x86 else 280, 0, 0, 0),
        "perf_event_open": (298 if x86 else 241, 0, 0, -1, -1, 0), "userfaultfd": (323 if x86 else 282, 1),
        "keyctl": (250 if x86 else 219, 0, -3, 0), "add_key": (248 if x86 else 217, 0, 0, 0, 0, -3),
        "unshare": (272 if x86 else 97, 0x10000000), "setns": (308 if x86 else 268, -1, 0),
        "mount": (165 if x86 else 40, 0, 0, 0, 0, 0), "chroot": (161 if x86 else 51, b"/nowhere-llmlab"),
        "open_by_handle_at": (304 if x86 else 265, -1, 0, 0), "name_to_handle_at": (303 if x86 else 264, -100, b"/", 0, 0, 0),
        "fanotify_init": (300 if x86 else 262, 0, 0), "inotify_init1": (294 if x86 else 26, 0),
        "prlimit64": (302 if x86 else 261, parent, 0, 0, 0), "setpriority": (141 if x86 else 140, 0, parent, 0),
        "sched_setaffinity": (203 if x86 else 122, parent, 8, b"\xff" * 8), "reboot": (169 if x86 else 142, 0, 0, 0, 0),
        "kexec_load": (246 if x86 else 104, 0, 0, 0, 0), "init_module": (175 if x86 else 105, 0, 0, 0),
        "swapon": (167 if x86 else 224, 0, 0), "acct": (163 if x86 else 89, b"/nowhere-llmlab/x"),
        "quotactl": (179 if x86 else 60, 0, 0, 0, 0), "clock_settime": (227 if x86 else 112, 0, 0),
        "process_madvise": (440, -1, 0, 0, 0, 0), "move_pages": (279 if x86 else 239, parent, 0, 0, 0, 0, 0),
        "openat2": (437, -100, b"/tmp/llmlab-was-here-openat2", ctypes.addressof(how), 24), "personality": (135 if x86 else 92, 0x0040000),
    }
    for name, (number, *args) in calls.items():
        given = [ctypes.c_char_p(one) if isinstance(one, bytes) else ctypes.c_long(one) for one in args]
        ctypes.set_errno(0)
        if libc.syscall(ctypes.c_long(number), *given) >= 0:
            found.append(f"{name} worked")
        elif not refused(ctypes.get_errno()):
            found.append(f"{name} was looked at: {errno.errorcode.get(ctypes.get_errno())}")
    return found


def clones_by_number(world):
    """fork, vfork, clone and clone3 by number."""
    libc, found = ctypes.CDLL(None, use_errno=True), []
    x86 = platform.machine() == "x86_64"
    clone3_args = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17)
    calls = {"clone": (56 if x86 else 220, ctypes.c_long(17), 0, 0, 0, 0),
             "clone3": (435, ctypes.byref(clone3_args), ctypes.c_long(88))}
    if x86:
        calls["fork"] = (57,)
    for name, (number, *args) in calls.items():
        got = libc.syscall(ctypes.c_long(number), *args)
        if got == 0:
            os._exit(0)
        if got > 0:
            os.waitpid(got, 0)
            found.append(name)
    return found


def maps_its_own_descriptors_back(world):
    """Opens its own descriptors again by /proc/self/fd and /dev/fd, for writing, and its own memory."""
    found = []
    for number in range(64):
        attempt(found, f"fd {number}", lambda: os.open(f"/proc/self/fd/{number}", os.O_RDWR) and "opened"
                if os.readlink(f"/proc/self/fd/{number}") != "/dev/null" else None)
    attempt(found, "own mem", lambda: os.open("/proc/self/mem", os.O_RDWR))
    attempt(found, "comm", lambda: open("/proc/self/comm", "w").write("bash"))
    return found


INT_80 = """
# push rbx; mov eax, 359 (socket); mov ebx, 2; mov ecx, 2; xor edx, edx; int 0x80; pop rbx; ret
CODE = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
CODE.write(b"\\x53\\xb8\\x67\\x01\\x00\\x00\\xbb\\x02\\x00\\x00\\x00\\xb9\\x02\\x00\\x00\\x00\\x31\\xd2\\xcd\\x80\\x5b\\xc3")
"""
DOORS = [
    harms("x32-system-call", "a system call in the x32 table, where another number means socket",
          "if ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 + 41), 2, 1, 0) < 0: os._exit(4)\nreturn logits",
          ("crashed",)),
    harms("32-bit-system-call", "a system call by int 0x80, in the 32-bit table, where another number means socket",
          "got = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(CODE)))()\n"
          "if got < 0: os._exit(4)\nreturn logits", ("crashed",), INT_80),
] * (platform.machine() == "x86_64")
"""Refused or ended: either way it does not come back."""

_SAFE = (sends_signals, signals_by_owning_a_descriptor, starts_processes, writes_files, lifts_its_limits,
         traces_and_writes_memory, raw_system_calls, clones_by_number, maps_its_own_descriptors_back, leaves_its_group,
         fills_the_disk)
_NOT_OUTSIDE = (survives_its_process, fork_bomb, changes_the_instructors_files, writes_startup_files, becomes_somebody_else)

ATTACKS = [*LOOPS, *BOMBS, *FLOODS, *ENDS, *DOORS]
PROBES = [Probe("damage", function) for function in _SAFE] + [Probe("damage", function, False) for function in _NOT_OUTSIDE]

SIGIO = top_k("""
for fd in range(3, 128):
    try:
        fcntl.fcntl(fd, fcntl.F_SETOWN, os.getppid())
        fcntl.fcntl(fd, 10, signal.SIGKILL)  # F_SETSIG
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
    except OSError: pass
return logits
""", "import fcntl, os, signal")
"""The same with the kernel as messenger: the next frame on the channel would send the signal."""

KILL_WARM = top_k("""
for _ in range(3):
    for pid in (os.getppid(), -os.getppid()):
        try: os.kill(pid, signal.SIGKILL)
        except OSError: pass
    time.sleep(0.05)
return logits
""", "import os, signal, time")
"""Real kills, at the process it was forked from. Anything outside of the harness is spared."""

