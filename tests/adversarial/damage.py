"""Damage done inside of the process: loops, bombs, floods, crashes. Each costs its own question and nothing else.

Everything is bounded, so that a grader without protections survives being tested: floods of some hundred megabytes, and
real signals only at a warm process that the harness can replace. Reaching out of the process is in `reaching`.
"""

from __future__ import annotations

import platform

from tests.adversarial.attack import NONE, Attack
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

ATTACKS = [*LOOPS, *BOMBS, *FLOODS, *ENDS, *DOORS]

KILLS = [
    Attack("kills-by-owning-a-descriptor", "damage", "the kernel sends the signal to the process it was forked from, when the "
           "channel is written to", top_k("""
for fd in range(3, 128):
    try:
        fcntl.fcntl(fd, fcntl.F_SETOWN, os.getppid())
        fcntl.fcntl(fd, 10, signal.SIGKILL)  # F_SETSIG
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
    except OSError: pass
return logits
""", "import fcntl, os, signal"), {"top_k": 0.0}),
    Attack("kills-the-warm-process", "damage", "real signals at the process it was forked from, and at its group", top_k("""
for _ in range(3):
    for pid in (os.getppid(), -os.getppid()):
        try: os.kill(pid, signal.SIGKILL)
        except OSError: pass
    time.sleep(0.05)
return logits
""", "import os, signal, time"), {"top_k": 0.0}),
]
"""Anything outside of the harness is spared."""
