"""A small book in a folder of its own, with our configuration and extensions: quick to build, free to break."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = ("_config.yml", "book/references.bib", "book/_data/matplotlibrc")
FOLDERS = ("book/_ext", "book/_static", "book/_vendor", "book/_figures")


def make(root: Path, files: dict[str, str]) -> None:
    """Write the configuration, the extensions and the given files below `root`."""
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
