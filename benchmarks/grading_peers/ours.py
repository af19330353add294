"""Our grader's turn: `llmlab.grading.pipeline.grade` on the whole class, held at the end of every block.

    python -m benchmarks.grading_peers.ours COURSE WORKERS BLOCK PHASE ...

Phases, each a whole run over the class: `verdicts` (no gradebook), `record` (gradebook; what is known is not done again),
`display` (students' cells are run to be looked at).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.grading_peers.gate import Gate


class Recording:
    """Times nbgrader's own part."""

    def __init__(self) -> None:
        from llmlab.grading.nbgrader_api import Nbgrader

        self.seconds, autograde = 0.0, Nbgrader.autograde

        def timed(api: Nbgrader, lab: str, student: str) -> None:
            began = time.monotonic()
            autograde(api, lab, student)
            self.seconds += time.monotonic() - began

        Nbgrader.autograde = timed


def main(folder: str, workers: str, block: str, phases: list[str]) -> None:
    from llmlab.grading import pipeline
    from llmlab.grading.course import Course
    from llmlab.grading.ledger import RUNNING

    gate, recording, size = Gate(), Recording(), int(block)
    for phase in phases:
        gate.wait()
        told = {"phase": phase, "done": 0}

        def held(student: str, status: str, done: int, total: int, told: dict = told) -> None:
            if done == total:
                told["done"] = total
                gate.look()
            elif status != RUNNING and done - told["done"] >= size:
                told["done"] = done
                gate.report(idle=True, recording=recording.seconds, **told)
                gate.wait()

        pipeline.grade("lab1", Course(Path(folder)), progress=held, workers=int(workers),
                       record=phase == "record", display=phase == "display")
        gate.report(recording=recording.seconds, last=True, **told)
    gate.wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
