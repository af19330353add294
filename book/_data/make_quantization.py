"""Writes quantization.json, what the quantization stepper reckons with, and quantization_reference.json, what it must get.

    python book/_data/make_quantization.py

For a figure that runs in the reader's browser: 64 neighbouring weights of the shipped model on a grid, one step of the
computation after another, while the reader drags one of them away as an outlier. The first file holds the weights, the
NF4 table and the choices. The second is for the figure's tests: settings drawn from a fixed seed with the result of
`steps`, the reference in this file. It is plain Python in float64, the numbers that JavaScript has, and round() is to
nearest, ties to even, which JavaScript's Math.round is not. A test holds it against the course's own functions.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmlab import models
from llmlab.checks.quantization.tables import PUBLISHED

OUT = Path(__file__).with_name("quantization.json")
REFERENCE = Path(__file__).with_name("quantization_reference.json")
COUNT, LAYER, ROW, OUTLIER = 64, 1, 0, 21
BITS, GROUPS, SCHEMES = (2, 3, 4, 8), (8, 16, 32, 64), ("symmetric", "affine", "nf4")
SHIFTS = tuple(round(-2.0 + 0.25 * i, 2) for i in range(17))
"""Values that the outlier can be dragged to; None leaves it where it is."""
SETTINGS = 72


def weights() -> list[float]:
    """64 neighbouring weights of the shipped target, to 4 decimals."""
    matrix = models.load("target").model.model.layers[LAYER].mlp.gate_proj.weight.detach()
    return [round(value, 4) for value in matrix[ROW, :COUNT].tolist()]


def one_group(x: Sequence[float], scheme: str, bits: int) -> dict[str, Any]:
    """All steps of one group: "low", "high", "scale", "zero" (or None), "places" (x / scale), "codes", "back".

    >>> one_group([0.5, -7.0, 3.4], "symmetric", 4)["codes"], one_group([-1.0, 2.0], "affine", 2)["zero"]
    ([0, -7, 3], 1)
    """
    size, zero = max(map(abs, x)), None
    low, high = -size, size
    if scheme == "nf4":
        scale = size or 1.0
        places = [v / scale for v in x]
        codes = [min(range(16), key=lambda code, p=p: abs(p - PUBLISHED[code])) for p in places]
        back = [PUBLISHED[code] * scale for code in codes]
    elif scheme == "symmetric":
        most = 2 ** (bits - 1) - 1
        scale = size / most or 1.0
        places = [v / scale for v in x]
        codes = [min(max(round(p), -most), most) for p in places]
        back = [code * scale for code in codes]
    else:
        most, low, high = 2**bits - 1, min(0.0, *x), max(0.0, *x)
        scale = (high - low) / most or 1.0
        zero = round(-low / scale)
        places = [v / scale for v in x]
        codes = [min(max(round(p) + zero, 0), most) for p in places]
        back = [(code - zero) * scale for code in codes]
    return {"low": low, "high": high, "scale": scale, "zero": zero, "places": places, "codes": codes, "back": back}


def steps(x: Sequence[float], scheme: str, bits: int, group: int) -> dict[str, Any]:
    """The groups in order, and what the figure says below: relative squared "error", that of all but the outlier,
    "others", and "bits" for each weight with a float16 scale (and a zero point of the same bits as a code)."""
    groups = [one_group(x[i:i + group], scheme, bits) for i in range(0, len(x), group)]
    back = [value for one in groups for value in one["back"]]

    def error(places: Sequence[int]) -> float:
        return sum((back[i] - x[i]) ** 2 for i in places) / sum(x[i] ** 2 for i in places)

    extra = 16 + (bits if scheme == "affine" else 0)
    return {"groups": groups, "error": error(range(len(x))),
            "others": error([i for i in range(len(x)) if i != OUTLIER]),
            "bits": bits + extra / group}


def moved(x: Sequence[float], outlier: float | None) -> list[float]:
    """The weights with the outlier dragged to a value."""
    return [outlier if i == OUTLIER and outlier is not None else value for i, value in enumerate(x)]


def make() -> dict[str, Any]:
    """What quantization.json holds."""
    return {"weights": weights(), "outlier": OUTLIER, "table": PUBLISHED, "bits": BITS, "groups": GROUPS,
            "schemes": SCHEMES,
            "shifts": SHIFTS, "origin": f"target, layers.{LAYER}.mlp.gate_proj.weight[{ROW}, :{COUNT}]"}


def reference() -> list[dict[str, Any]]:
    """What quantization_reference.json holds."""
    x = weights()
    every = [one for one in itertools.product(SCHEMES, BITS, GROUPS,
                                              (None, *SHIFTS)) if one[0] != "nf4" or one[1] == 4]
    chosen = random.Random(5).sample(every, SETTINGS)
    return [{"scheme": scheme, "bits": bits, "group": group, "outlier": outlier,
             "result": steps(moved(x, outlier), scheme, bits, group)} for scheme, bits, group, outlier in chosen]


def short(value: Any) -> Any:
    """Floats to 8 significant digits."""
    if isinstance(value, float):
        return float(f"{value:.8g}")
    if isinstance(value, dict):
        return {key: short(one) for key, one in value.items()}
    return [short(one) for one in value] if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    for path, data in ((OUT, make()), (REFERENCE, reference())):
        path.write_text(json.dumps(short(data), separators=(",", ":")) + "\n", encoding="utf-8")
        print(f"wrote {path.name}: {path.stat().st_size / 1e3:.0f} kB")
