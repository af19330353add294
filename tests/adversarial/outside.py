"""The positive control: the probes run in a plain process with everything in reach, and must find it there.

    python -m tests.adversarial.outside     world as JSON on stdin -> {probe: what it found} as JSON on stdout

Only probes that do no harm are run (`Probe.control`).
"""

from __future__ import annotations

import json
import linecache
import os
import sys

import torch


def plant(world: dict) -> list:
    """What the trusted process holds in memory: a case with its expected value, checks, an earlier submission."""
    from llmlab.checks import registry
    from llmlab.checks.judging import Expect
    from llmlab.checks.protocol import Call, Case
    from tests.adversarial.stealing import EARLIER

    registry.checks_of("decoding")
    linecache.cache["earlier.py"] = (len(EARLIER), None, EARLIER.splitlines(True), "earlier.py")
    os.environ["EARLIER"] = os.environ["SECRET"] = world["secret"]
    return [Case("decoding.f", "g", (Call("f"),), Expect(torch.tensor([world["needle"]], dtype=torch.float64)))]


def main() -> None:
    from tests.adversarial import reaching, stealing

    world = json.load(sys.stdin) | {"mark": "llmlab-control"}
    expect = plant(world)  # a local of this frame, as in a grader that runs the student's code itself
    found = {}
    sys.path.insert(0, world["repository"])
    for probe in [*stealing.TABLES, *reaching.TABLES]:
        if probe.control:
            module: dict = {"__name__": "submission"}
            exec(compile(probe.source, f"{probe.name}.py", "exec"), module)
            found[probe.name] = module["f"](world)
    del expect
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
