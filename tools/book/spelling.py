"""The spelling gate: codespell over prose, code, comments and docs, with the list of words that are right here.

    python -m tools.book.spelling [PATH...]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORDS = Path(__file__).with_name("spelling.txt")
PLACES = (
    "README.md", "CONTRIBUTING.md", "Makefile", ".ci", "docs", "book", "llmlab", "solutions", "tools", "tests",
    "benchmarks", "assignments/text", "assignments/templates",
)  # fmt: skip
SKIP = "*.json,*.po,*.ipynb,*.safetensors,*/_vendor/*,*/node_modules/*,*/__pycache__/*,*/weights/*,*/spelling.txt"
"""Not ours, made by a program, or in another language."""


def misspelt(places: list[Path]) -> list[str]:
    """`file:line: wrong ==> right` for each word that is commonly misspelt."""
    command = [sys.executable, "-m", "codespell_lib", f"--skip={SKIP}", f"--ignore-words={WORDS}"]
    done = subprocess.run([*command, *map(str, places)], capture_output=True, text=True, cwd=ROOT)
    if done.returncode not in (0, 65) or done.stderr.strip():
        raise RuntimeError(f"codespell did not run: {done.stderr.strip()}")
    return done.stdout.splitlines()


def main() -> int:
    found = misspelt([Path(name) for name in sys.argv[1:]] or [ROOT / place for place in PLACES])
    print("\n".join(found) or "no misspelt words")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
