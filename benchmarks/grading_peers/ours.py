"""Our grader's turn: `llmlab.grading.pipeline.grade` on the whole class, a phase a turn.

    python -m benchmarks.grading_peers.ours COURSE WORKERS PHASE ...

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


def main(folder: str, workers: str, phases: list[str]) -> None:
    from llmlab.grading import pipeline
    from llmlab.grading.course import Course

    gate, recording = Gate(), Recording()
    for phase in phases:
        gate.wait()
        graded = 0

        def seen(student: str, status: str, done: int, total: int) -> None:
            nonlocal graded
            graded = done
            if done == total:
                gate.look()

        pipeline.grade("lab1", Course(Path(folder)), progress=seen, workers=int(workers),
                       record=phase == "record", display=phase == "display")
        gate.report(recording=recording.seconds, last=True, phase=phase, done=graded)
    gate.wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
