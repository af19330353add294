"""Writes results/NAME.json: what was measured, with where it comes from. The book quotes these files and nothing else.

A value is a number or a string. The origin names the command, the date, the machine and the versions.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
from pathlib import Path

import numpy
import torch

RESULTS = Path(__file__).resolve().parents[1] / "results"


def machine() -> str:
    """The processor's name and the number of cores, as the system tells them."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        models = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        name = models[0] if models else name
    return f"{os.cpu_count()} cores, {name}, {platform.machine()}"


def write(name: str, command: str, values: dict[str, float | int | str]) -> Path:
    """Write results/<name>.json and return its path. Floats are kept to 10 significant digits."""
    origin = {"command": command, "date": datetime.date.today().isoformat(), "machine": machine(),
              "python": platform.python_version(), "torch": torch.__version__, "numpy": numpy.__version__}
    kept = {key: float(f"{value:.10g}") if isinstance(value, float) else value for key, value in sorted(values.items())}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"origin": origin, "values": kept}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"wrote {path.name}: {len(kept)} values")
    return path
