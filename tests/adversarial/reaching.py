"""Damage by reaching out of the process: signals, other processes, files, limits, the kernel. Each probe is a function that
runs in a student's process and returns what it managed; it must manage nothing.

Everything is bounded, and the signals that are really sent harm nobody: a grader without protections survives being tested.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import glob
import os
import platform
import resource
import signal
import socket
import time

import torch

from tests.adversarial.attack import Probe, attempt, refused


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
        name = f"{place}/{world['mark']}-{os.getpid()}"
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
    for name in (f"{site}/{world['mark']}.pth", f"{site}/sitecustomize.py", f"{world['home']}/{world['mark']}.bashrc",
                 f"{world['home']}/.ipython/{world['mark']}.py", f"{world['home']}/.config/{world['mark']}",
                 f"{world['root']}/assignments/nbgrader_config.py", f"{world['root']}/conftest.py",
                 f"{world['repository']}/.git/hooks/{world['mark']}"):
        attempt(found, name, lambda: os.open(name, os.O_WRONLY | os.O_APPEND | (0 if os.path.exists(name) else os.O_CREAT)))
    return found


def fills_the_disk(world):
    """Many bytes and many names: 64 MB and 2,000 files in every folder that takes them, and in memory files."""
    found = []
    for place in (".", "/tmp", "/var/tmp", "/dev/shm"):
        name = f"{place}/{world['mark']}-full"
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
    made = f"/tmp/{world['mark']}-openat2".encode()
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
        "ioprio_set": (251 if x86 else 30, 1, parent, 2 << 13 | 4), "sched_setparam": (142 if x86 else 118, parent, b"\0" * 8),
        "sched_setscheduler": (144 if x86 else 119, parent, 0, b"\0" * 8), "sched_setattr": (314 if x86 else 274, parent, 0, 0),
        "migrate_pages": (256 if x86 else 238, parent, 0, 0, 0), "process_mrelease": (448, -1, 0),
        "rt_tgsigqueueinfo": (297 if x86 else 240, parent, parent, 0, 0), "syslog": (103 if x86 else 116, 10, 0, 0),
        "fsopen": (430, b"tmpfs", 0), "open_tree": (428, -100, b"/", 0), "mount_setattr": (442, -1, 0, 0, 0, 0),
        "modify_ldt": (154 if x86 else 1000, 0, 0, 0), "sethostname": (170 if x86 else 161, 0, 0),
        "setuid": (105 if x86 else 146, 0), "capset": (126 if x86 else 91, 0, 0),
        "get_robust_list": (274 if x86 else 100, parent, 0, 0),
        "openat2": (437, -100, made, ctypes.addressof(how), 24), "personality": (135 if x86 else 92, 0x0040000),
    }
    for name, (number, *args) in calls.items():
        given = [ctypes.c_char_p(one) if isinstance(one, bytes) else ctypes.c_long(one) for one in args]
        ctypes.set_errno(0)
        if libc.syscall(ctypes.c_long(number), *given) >= 0:
            found.append(f"{name} worked")
        elif not refused(ctypes.get_errno()):
            found.append(f"{name} was looked at: {errno.errorcode.get(ctypes.get_errno())}")
    if os.path.exists(made):
        os.unlink(made)
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


_SAFE = (sends_signals, signals_by_owning_a_descriptor, starts_processes, writes_files, lifts_its_limits,
         traces_and_writes_memory, raw_system_calls, clones_by_number, maps_its_own_descriptors_back, leaves_its_group,
         fills_the_disk)
_NOT_OUTSIDE = (survives_its_process, fork_bomb, changes_the_instructors_files, writes_startup_files, becomes_somebody_else)

TABLES = [Probe("damage", function) for function in _SAFE] + [Probe("damage", function, False) for function in _NOT_OUTSIDE]
