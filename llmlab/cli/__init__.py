"""The `llmlab` command: what students and instructors type. It decides nothing about right and wrong.

Verdicts come from `llmlab.harness`, grading from `llmlab.grading`. Both are imported only by the commands
that need them, so that `llmlab --help`, `where`, `start` and `submit` answer without importing torch.
"""

from __future__ import annotations

from typing import NoReturn


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the command with these arguments (default: those of the process) and exit with its code."""
    import sys

    from llmlab.cli.app import run

    sys.exit(run(sys.argv[1:] if argv is None else argv))
