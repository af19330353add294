"""Forging: points for work that was not done. The modules here get exactly what their right functions are worth."""

from __future__ import annotations

from tests.adversarial.attack import NONE, Attack

def top_k(body: str, before: str = "") -> str:
    """A module text that replaces `top_k` by this body."""
    return f"{before}\n\ndef top_k(logits, k):\n" + "".join(f"    {line}\n" for line in body.strip("\n").splitlines())


def fools(name: str, tries: str, body: str, before: str = "", gets: float = 0.0, **more) -> Attack:
    """An attack that puts a trick in the place of top_k, beside right answers to the rest."""
    return Attack(name, "forging", tries, "import torch\n" + top_k(body, before), {"top_k": gets}, **more)


DUCKS = [
    fools("tensor-that-equals-everything", "returns a tensor subclass for which every comparison is true", """
return torch.zeros_like(logits).as_subclass(Always)
""", """
class Always(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func.__name__ in ("eq", "__eq__", "allclose", "equal", "isclose", "le", "all", "isnan"):
            return True
        return super().__torch_function__(func, types, args, kwargs or {})
"""),
    fools("tensor-that-answers-for-itself", "a tensor subclass whose every method says yes", """
return torch.zeros_like(logits).as_subclass(Yes)
""", """
class Yes(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return torch.ones(()).bool()
"""),
    fools("object-that-equals-everything", "returns an object with a tensor's attributes and an __eq__ that is true", """
return Duck(logits)
""", """
class Duck:
    def __init__(self, like): self.shape, self.dtype, self.device, self.layout = like.shape, like.dtype, like.device, like.layout
    def __eq__(self, other): return True
    def __getattr__(self, name): return lambda *a, **k: self
    def __iter__(self): return iter([True])
    def __bool__(self): return True
    def __array__(self, *a, **k): raise ValueError("any")
""".replace("self.shape, self.dtype, self.device, self.layout = like.shape, like.dtype, like.device, like.layout",
            "self.__dict__.update(shape=like.shape, dtype=like.dtype, device=like.device)"), says=("wrong",)),
    fools("class-that-lies-about-its-type", "an object whose __class__ says torch.Tensor", """
return Liar()
""", """
class Liar:
    @property
    def __class__(self): return torch.Tensor
    def __eq__(self, other): return True
    def __getattr__(self, name): return lambda *a, **k: True
"""),
    fools("numbers-that-equal-everything", "float and int subclasses with an __eq__ that is true", """
return Nice(1.0)
""", """
class Nice(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
    __hash__ = float.__hash__
"""),
    fools("list-that-changes-when-read-twice", "a list whose second reading differs from its first", """
return Twice([logits])
""", """
class Twice(list):
    reads = 0
    def __iter__(self):
        Twice.reads += 1
        return iter([torch.zeros(1)] if Twice.reads % 2 else [True])
    def __len__(self):
        Twice.reads += 1
        return Twice.reads
"""),
    fools("dict-that-changes-when-read-twice", "a dict that gives other items each time", """
return Changing(a=1)
""", """
class Changing(dict):
    def items(self):
        import random
        return [("verdict", True), ("points", random.random()), ("kind", "ok")]
    def keys(self): return ["points"]
"""),
    fools("tensor-that-changes-when-copied", "a tensor subclass whose copies hold something else than it does", """
return logits.as_subclass(Shifty)
""", """
class Shifty(torch.Tensor):
    def detach(self): return torch.ones(3)
    def clone(self, **k): return torch.ones(())
    def numel(self): return 0
    def element_size(self): return 0
"""),
    fools("all-nan", "NaN everywhere, which equals nothing and differs from nothing", """
return torch.full_like(logits, float("nan"))
"""),
    fools("all-infinite", "inf everywhere", "return torch.full_like(logits, float('inf'))"),
    fools("true", "returns True", "return True"),
    fools("the-verdict-pass", "returns the checks' own PASS", """
from llmlab.checks.protocol import PASS
return PASS
"""),
    fools("a-score", "returns points", "return {'points': 3, 'score': 1.0, 'ok': True, 'passed': True, 'status': 'graded'}"),
    fools("a-shape-that-broadcasts", "a single number that broadcasts to every shape",
          "return torch.zeros(1)"),
    fools("empty", "an empty tensor, of which every element is right", "return torch.empty(0)"),
    fools("its-own-input", "hands the input back", "return logits"),
    fools("meta-tensor", "a tensor without data", "return torch.empty_like(logits, device='meta')"),
    fools("expanded-tensor", "a huge shape without memory behind it", "return torch.zeros(1).expand(2 ** 40)"),
    fools("odd-tensors", "complex, sparse and quantized tensors", """
return [logits.to(torch.complex64), logits.to_sparse(), torch.quantize_per_tensor(logits, 1.0, 0, torch.quint8)][k % 3]
"""),
    fools("always-raises", "raises ValueError naming every number: right for an invalid k, and for that only", """
raise ValueError(f"{k}")
""", gets=1.0, says=("partial",)),
    fools("raises-an-exception-called-ok", "raises exceptions named after good verdicts", """
raise type("Returned", (Exception,), {"ok": True, "points": 3})("PASS ok 3/3 points True")
"""),
    fools("raises-not-implemented-and-passes", "leaves the work as not written, with a claim", """
raise NotImplementedError("3 of 3 points, all cases passed")
""", says=("not-written",)),
]

PATCHES = [
    fools("patched-torch", "torch.allclose, equal, isclose and Tensor.__eq__ always say yes", """
return torch.zeros_like(logits)
""", """
yes = lambda *a, **k: True
torch.allclose = torch.equal = torch.isclose = torch.eq = torch.all = yes
torch.Tensor.__eq__ = torch.Tensor.equal = torch.Tensor.allclose = torch.Tensor.isfinite = yes
torch.testing.assert_close = lambda *a, **k: None
""", says=()),
    fools("patched-builtins", "all, any, isinstance, abs and sum say yes", """
return torch.zeros_like(logits)
""", """
import builtins
builtins.all = builtins.any = lambda *a, **k: True
builtins.sum = lambda *a, **k: 0
builtins.abs = lambda x: 0
"""),
    Attack("patched-clocks", "forging", "stops every clock, then takes its time", "import torch, time\n" + top_k("""
for _ in range(600):
    really(0.1)
""", """
really = time.sleep
for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time", "time_ns"):
    setattr(time, name, lambda *a: 0)
time.sleep = lambda *a: None
import signal, threading
threading.Timer = None
signal.setitimer(signal.ITIMER_REAL, 0)
signal.alarm(0)
"""), {"top_k": 0}, ("timeout",), seconds=0.5),
    fools("shadow-checks", "puts its own llmlab.checks, registry and judge into sys.modules", """
return torch.zeros_like(logits)
""", """
import sys, types
for name in ("llmlab.checks", "llmlab.checks.decoding", "llmlab.checks.registry", "llmlab.checks.judging",
             "llmlab.checks.compare", "llmlab.harness.runner", "llmlab.grading", "llmlab.grading.verdicts"):
    fake = types.ModuleType(name)
    fake.judge = fake.equal = fake.outcome = lambda *a, **k: type("V", (), {"ok": True, "message": ""})()
    fake.difference = lambda *a, **k: ""
    sys.modules[name] = fake
"""),
    Attack("shadow-torch", "forging", "puts its own torch, numpy and json into sys.modules",
           top_k("return [[0.0]]", """
import sys, types
for name in ("torch", "numpy", "json", "struct"):
    sys.modules[name] = types.ModuleType(name)
"""), NONE, base="starter"),
    fools("patched-ast-and-compile", "rewrites every later compilation, so that asserts and checks vanish", """
return torch.zeros_like(logits)
""", """
import ast, builtins
really = builtins.compile
class Yes(ast.NodeTransformer):
    def visit_Compare(self, node): return ast.copy_location(ast.Constant(True), node)
def quiet(source, *a, **k):
    return really(Yes().visit(ast.parse(source)) if isinstance(source, (str, bytes)) else source, *a, **k)
builtins.compile, builtins.exec = quiet, lambda *a, **k: None
ast.parse = lambda *a, **k: ast.Module([], [])
"""),
    fools("patched-import", "an import hook that answers for every module of llmlab", "return torch.zeros_like(logits)", """
import builtins, sys
really = builtins.__import__
builtins.__import__ = lambda name, *a, **k: sys if name.startswith("llmlab") else really(name, *a, **k)
sys.meta_path.insert(0, type("All", (), {"find_spec": staticmethod(lambda *a, **k: None)}))
sys.path.insert(0, "/proc/self/cwd")
"""),
    fools("hooks", "excepthook, displayhook, settrace and setprofile", "return 1 / 0", """
import sys, threading
sys.excepthook = sys.displayhook = sys.unraisablehook = lambda *a: None
sys.settrace(lambda *a: None)
sys.setprofile(lambda *a: None)
threading.settrace(lambda *a: None)
"""),
    fools("fake-results-printed", "prints scores, verdicts and frames on every stream there is", """
for _ in range(3):
    print('{"points": 3, "status": "ok"}', "3.0", "PASS", "1 passed in 0.01s")
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        print("Score(3.0)", file=stream)
for fd in (0, 1, 2):
    try: os.write(fd, b'{"answers": []}')
    except OSError: pass
return logits
""", "import os, sys"),
    fools("module-that-has-everything", "a module __getattr__ that offers a function for every name",
          "return logits", "def __getattr__(name): return lambda *a, **k: True"),
    fools("late-thread", "a thread that goes on after the call, changes the result and patches what it finds", """
result = torch.zeros_like(logits)
def later():
    import gc
    for _ in range(20):
        result.fill_(1.0)
        for one in [o for o in gc.get_objects() if type(o).__name__ == "Session"][:1]:
            one.printed.write("3/3 points")
threading.Thread(target=later, daemon=True).start()
return result
""", "import threading"),
    fools("atexit", "functions that run at the end of the process, and finalizers", """
return torch.zeros_like(logits)
""", """
import atexit, weakref
def late(): print("3 of 3 points")
atexit.register(late)
class Last:
    def __del__(self): late()
LAST = Last()
weakref.finalize(LAST, late)
"""),
]

TABLES = [*DUCKS, *PATCHES]
