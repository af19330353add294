"""Controls and fairness: odd but right code gets every point, and each question is worth what it is worth alone."""

from __future__ import annotations

from tests.adversarial.attack import FULL, NONE, Attack
from tests.adversarial.forging import top_k

RIGHT = """
if not isinstance(k, int) or isinstance(k, bool) or k < 1:
    raise ValueError(f"k must be at least 1, got {k}")
least = logits.topk(min(k, logits.shape[-1]), dim=-1).values[..., -1:]
found = logits.masked_fill(logits < least, float("-inf"))
"""


def fair(name: str, tries: str, body: str, before: str = "", head: str = "import torch\n") -> Attack:
    """A right top_k, done in an odd way: every point."""
    return Attack(name, "fairness", tries, head + top_k(body, before))


def odd(name: str, tries: str, extra: str, result: str = "found", before: str = "") -> Attack:
    """The usual top_k with something beside it, and its result in another form."""
    return fair(name, tries, f"{extra}\n{RIGHT}\nreturn {result}", before)


ALONE = """
def greedy(logits):
    return logits.argmax(dim=-1)
""", "\ndef top_k(logits, k):\n" + "".join(f"    {line}\n" for line in (RIGHT + "return found").splitlines()), """
def min_p(logits, min_p):
    if not 0 <= min_p <= 1:
        raise ValueError(f"min_p must lie in [0, 1], got {min_p}")
    probs = logits.double().softmax(-1)
    return logits.masked_fill(probs < min_p * probs.amax(-1, keepdim=True), float("-inf"))
"""

CONTROLS = [
    Attack("solution", "control", "the solution", ""),
    Attack("starter", "control", "the scaffold as released", "", NONE, ("not-written",), "starter"),
    Attack("empty-file", "control", "nothing at all", "", NONE, base=""),
    *[Attack(f"only-{name}", "control", f"{name} is right, everything else as released", "import torch\n" + text,
             NONE | {name: FULL[name]}, ("not-written",), "starter")
      for name, text in zip(FULL, ALONE, strict=True)],
    *[Attack(f"only-{name}-in-the-file", "control", f"{name} is right, everything else was deleted", "import torch\n" + text,
             NONE | {name: FULL[name]}, ("wrong",), "") for name, text in zip(FULL, ALONE, strict=True)],
]

FAIR = [
    odd("warnings", "warns on stderr at every call", "import warnings; warnings.warn('careful'); import sys\n"
        "print('warned', file=sys.stderr)"),
    odd("prints", "prints at every call", "print('top_k', logits, k)"),
    odd("logging", "logs at every level", "import logging; logging.basicConfig(level=0); logging.error('top_k %s', k)"),
    odd("slow", "sleeps at every call", "import time; time.sleep(0.05)"),
    odd("slow-loop", "counts to a million in Python", "sum(n for n in range(1_000_000))"),
    odd("float64", "returns float64 for whatever dtype came", "", "found.double()"),
    odd("numpy-result", "returns a numpy array", "", "found.double().numpy()"),
    odd("transposed", "returns a tensor that is not contiguous", "",
        "found.transpose(0, -1).contiguous().transpose(0, -1)"),
    odd("strided", "returns every second element of a larger tensor", "", "torch.stack([found, found], -1)[..., 0]"),
    odd("needs-gradients", "returns a tensor that wants gradients", "", "found.clone().requires_grad_()"),
    odd("part-of-a-graph", "returns a tensor with a history", "logits = logits.clone().requires_grad_()"),
    odd("inference-tensor", "computes in inference mode", "", "torch.inference_mode()(lambda: found.clone())()"),
    odd("parameter", "returns a torch.nn.Parameter", "", "torch.nn.Parameter(found)"),
    odd("named-tuple-inside", "uses dataclasses, enums, typing, functools and itertools inside", "box = Box(k)\nk = box.k",
        before="import dataclasses, enum, functools, itertools, typing\n@dataclasses.dataclass(frozen=True)\nclass Box:\n"
               "    k: typing.Any\n"),
    odd("python-loop", "plain Python numbers inside", "rows = logits.tolist()"),
    fair("numpy-inside", "all in numpy", """
if not isinstance(k, int) or isinstance(k, bool) or k < 1:
    raise ValueError(f"k must be at least 1, got {k}")
z = logits.double().numpy()
least = np.sort(z, axis=-1)[..., ::-1][..., min(k, z.shape[-1]) - 1][..., None]
return torch.from_numpy(np.where(z < least, -np.inf, z))
""", head="import numpy as np\nimport torch\n"),
    odd("threads", "works in a pool of threads", "",
        "list(concurrent.futures.ThreadPoolExecutor(2).map(lambda x: x, [found]))[0]", "import concurrent.futures"),
    odd("a-thread-that-stays", "a daemon thread that waits beside it", "",
        before="import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"),
    odd("torch-threads", "asks torch for more threads", "torch.set_num_threads(2)"),
    odd("seeds-nothing-but-imports-random", "imports what students import", "",
        before="import collections, copy, json, math, random, re, statistics, string, time, numpy, tokenize\n"),
    odd("imports-scientific", "imports scipy and matplotlib, which are installed", "",
        before="import matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot\nimport scipy.special\n"),
    odd("imports-torch-parts", "imports more of torch", "", before="import torch.nn as nn\nimport torch.nn.functional as F\n"
        "from torch import Tensor\nimport torch.distributions\n"),
    odd("uses-the-models", "imports llmlab.models", "", before="import llmlab.models\nfrom llmlab import models\n"),
    odd("loads-the-model", "loads the shipped model when the file is read", "",
        before="from llmlab import models\nTARGET = models.load('target')\n"),
    odd("draws-a-figure", "imports llmlab.figures", "", before="import llmlab.figures\nimport llmlab.figures.tokens\n"),
    odd("io", "writes into memory", "", before="import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "    print('x')\nassert out.getvalue() == 'x\\n'\n"),
    odd("main-guard", "examples behind a main guard", "", before="if __name__ == '__main__':\n    raise SystemExit(1)\n"),
    odd("doctest-and-asserts", "asserts and docstrings", "assert k is not None", before="'''Docs.'''\nassert True\n"),
    odd("unicode-names", "identifiers in Greek and Chinese", "λ, 概率 = k, logits"),
    odd("recursion", "recursion 500 deep", "assert depth(500) == 500",
        before="def depth(n): return n and 1 + depth(n - 1)\n"),
    odd("decorators", "functools.cache and decorators around it", "", before="import functools\n@functools.cache\n"
        "def helper(): return 1\n"),
    odd("type-hints", "type hints of every kind, not all of them importable", "y: 'NotThere' = 1",
        before="from typing import *\nX = TypeVar('X')\n"),
    odd("catches-everything", "a bare except around its work", "try: 1 / 0\nexcept: pass"),
    Attack("an-own-class", "fairness", "the work in a method of a class of its own",
           "import torch\nclass Truncate:\n    def __call__(self, logits, k):\n"
           + "".join(f"        {line}\n" for line in (RIGHT + "return found").splitlines()) + "top_k = Truncate()\n"),
    Attack("future-import", "fairness", "a docstring and from __future__ first, and nothing but its own code after it",
           "\"\"\"My module.\"\"\"\nfrom __future__ import annotations\nimport torch\n" + "".join(ALONE), base=""),
    Attack("prints-when-it-is-read", "fairness", "prints and warns when the file is read",
           "import sys, warnings\nprint('hello')\nprint('hello', file=sys.stderr)\nwarnings.warn('x')\n"),
    Attack("lambda-and-partial", "fairness", "functions made by partial",
           "import functools\ntop_k = functools.partial(top_k)\n"),
    Attack("memory-that-is-legal", "fairness", "half a gigabyte of working memory", "import torch\n" + top_k(
        "really = torch.ones(2 ** 27)\n" + RIGHT + "return found")),
    Attack("trailing-garbage", "fairness", "form feeds, tabs and blank lines", "\n\f\n\t\n    \n# end"),
    Attack("seeds-torch-when-read", "fairness", "seeds every generator when the file is read",
           "import random, numpy, torch\nrandom.seed(0)\nnumpy.random.seed(0)\ntorch.manual_seed(0)\n"),
    Attack("default-dtype", "fairness", "changes torch's default dtype and grad mode",
           "import torch\ntorch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False)\n"),
    Attack("prints-options", "fairness", "changes how tensors and numpy print",
           "import torch, numpy\ntorch.set_printoptions(precision=1)\nnumpy.seterr(all='ignore')\n"),
]

TABLES = [*CONTROLS, *FAIR]
