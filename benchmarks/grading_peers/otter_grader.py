"""The turn of otter-grader without containers: `otter.run`, one process, a kernel for each submission.

    OTTER_PYTHON -m benchmarks.grading_peers.otter_grader FOLDER BLOCK

Runs in an environment of its own, which the project does not depend on. Only the standard library, otter and what
`stock_checks` needs are imported.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path


def packed(root: Path) -> Path:
    """otter's own package of the assignment: tests, helper files, configuration."""
    generate = importlib.import_module("otter.generate").main  # not a dependency: it lives in an environment of its own

    os.chdir(root)
    (root / "config").mkdir(exist_ok=True)
    (root / "config" / "otter_config.json").write_text('{"pdf": false, "show_stdout": false, "print_summary": false}')
    generate(tests_dir="tests", output_path="autograder.zip", config="config/otter_config.json", no_requirements=True,
             no_environment=True, files=sorted(entry.name for entry in root.iterdir() if entry.suffix in (".py", ".json")))
    return root / "autograder.zip"


def points(results: object) -> dict[str, float]:
    """Cell -> points."""
    return {name.replace(".", "-"): float(found.score) for name, found in results.results.items()}


def main(folder: str, block: str) -> None:
    from benchmarks.grading_peers.gate import Gate

    gate, root, size = Gate(), Path(folder).resolve(), int(block)
    run = importlib.import_module("otter.run").main

    autograder = packed(root)
    files = sorted((root / "submissions").iterdir())
    for start in range(0, len(files), size):
        gate.wait()
        told, failed, took = {}, {}, {}
        for file in files[start:start + size]:
            began = time.monotonic()
            failed[file.stem] = ""
            try:
                told[file.stem] = points(run(str(file), autograder=str(autograder), output_dir=None, no_logo=True))
            except BaseException as error:
                failed[file.stem] = f"{type(error).__name__}: {str(error)[:200]}"
            took[file.stem] = time.monotonic() - began
        gate.report(done=min(start + size, len(files)), last=start + size >= len(files), points=told, failed=failed, took=took)
    gate.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
