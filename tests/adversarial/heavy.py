"""Attacks on the memory of the trusted side: answers and questions as large as a student's process can make them.

    python -m tests.adversarial.heavy     every case in a fresh process; prints {name: what came of it} as JSON

`mb` is how far the process's memory rose above what it was before the case, at its peak.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import torch

from llmlab.checks.judging import Expect, judge
from llmlab.checks.protocol import Call, Case, Model
from llmlab.harness.runner import Harness
from tests.adversarial.frames import FIND
from tests.adversarial.room import TOY

FRAME = """
def f(*args): return torch.tensor(1)
TEXT = b'{"$":"dict","items":[["value",%s],["mutated",[]],["random",false]]}'
def framed():
    return struct.pack(">QQ", len(TEXT), 0) + TEXT
forge(lambda request: {"cases": [{"answers": [framed()], "printed": ""}]})
"""
RIGHT_BUT = """
def f(*args): return torch.tensor(1)
forge(lambda request: answers({"value": torch.tensor(1), "mutated": %s, "random": False}))
"""
HEAVY = {
    "lists-in-an-answer": ("an answer of 15 million empty lists", FRAME % "[' + b'[],' * (15 * 2 ** 20) + b'1]"),
    "a-tensor-of-256-mb": ("a tensor as large as one may be",
                           "forge(lambda request: answers(RIGHT | {'value': torch.zeros(2 ** 26 - 99)}))"),
    "a-long-name-of-a-changed-argument": ("claims that it changed an argument with a name of 20 MB",
                                          RIGHT_BUT % "['x' * 20_000_000]"),
    "many-changed-arguments": ("claims that it changed 200,000 arguments", RIGHT_BUT % "['x' * 50] * 200_000"),
    "large-questions-to-the-model": ("asks the model about the largest batch there may be, again and again", """
def f(model):
    ids = torch.zeros(64, 4096, dtype=torch.int64)
    for _ in range(500):
        model(ids)
    return torch.tensor(1)
"""),
}
MOST_MB, MOST_BYTES = 1_024, 100_000
"""What one case may add to the trusted process's memory, and the length of its record. A frame is 256 MiB at most; while
it is read there are its bytes, the copy that is parsed, and the value.
"""


def memory(what: str) -> int:
    """VmRSS or VmHWM (the peak) of this process, MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) // 1024


def main() -> None:
    model = Model(lambda ids, mask: torch.zeros(len(ids), 4), vocab=4)
    case = Case(TOY.id, "g", (Call("f", (model,)),), Expect(torch.tensor(1)), seconds=10)
    found = {}
    with Harness() as harness:
        for name, (_, source) in {"": ("", "import torch\ndef f(model): return torch.tensor(1)\n"), **HEAVY}.items():
            gc.collect()
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            before = memory("VmRSS")
            report = harness.check_source("decoding", (FIND + source).encode(), "decoding.py", [TOY], [case],
                                          SimpleNamespace(judge=judge))
            found[name] = {"mb": memory("VmHWM") - before, "bytes": len(json.dumps(report.to_json())),
                           "status": report.tasks[0].status, "earned": report.earned}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
