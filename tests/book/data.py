"""What the tests of the figures' data share: the script that makes a file, the file, a solved module."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from llmlab.grading import variants

FOLDER = Path(__file__).resolve().parents[2] / "book" / "_data"


def script(name: str) -> ModuleType:
    """The module book/_data/<name>.py."""
    spec = importlib.util.spec_from_file_location(f"_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(name: str) -> Any:
    """What book/_data/<name> holds."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def solved(module: str) -> ModuleType:
    """The solution of a lab module, under a name of its own."""
    found = ModuleType(f"solved_{module}")
    exec(compile(variants.solution(module), f"{module}.py", "exec"), found.__dict__)
    return found
