"""Writes what the figures of part II reckon with, cost.json, and what they must get, cost_reference.json.

    python book/_data/make_cost.py

For two figures that run in the reader's browser: a decode step on the roofline (by batch, context, accelerator and width
of weights and cache), and a calculator of the KV cache. The first file holds the shapes of real models with their
parameters, data-sheet figures of accelerators, and widths of numbers. The second is for the figures' tests: a few hundred
settings with the results of `point`, the reference in this file. It counts one matrix at a time, by the oracle of the
checks, not by closed forms.
"""

from __future__ import annotations

import functools
import itertools
import json
import random
from pathlib import Path
from typing import Any

from llmlab.checks.flops import oracle
from llmlab.models.shapes import ACCELERATORS, MODELS

OUT = Path(__file__).with_name("cost.json")
REFERENCE = Path(__file__).with_name("cost_reference.json")
WEIGHTS = {"float32": 4, "bfloat16": 2, "8 bits": 1, "4 bits": 0.5}
CACHES = {"float32": 4, "bfloat16": 2, "8 bits": 1}
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
CONTEXTS = (128, 512, 1024, 2048, 4096, 8192, 32768, 131072)
SETTINGS = 300


@functools.cache
def parameters(model: str) -> int:
    """All parameters of the model."""
    return oracle.held(MODELS[model])


@functools.cache
def per_sequence(model: str, context: int) -> tuple[int, int]:
    """(FLOPs of one new token, numbers in the cache) of one sequence of this context, the new token included."""
    shape = MODELS[model]
    return oracle.flops(oracle.products(shape, 1, 1, context, 1)), oracle.cached(shape, 1, context)


def point(model: str, accelerator: str, batch: int, context: int, weights: str, cache: str) -> dict[str, Any]:
    """One decode step: what it holds, moves and computes, and the least time it takes.

    weights, cache: names of widths. The peak is that of bfloat16 whatever they are: narrow numbers are widened before
    they are multiplied. Keys: "weight_bytes", "cache_bytes", "fits" (both into the memory), "largest_batch", "flops",
    "intensity" (FLOPs per byte), "bound" ("compute" or "memory"), "seconds", "tokens_per_second" (of all sequences),
    "attained" (FLOP/s).

    >>> point("Llama-2-13B", "H100 SXM", 64, 1024, "bfloat16", "bfloat16")["largest_batch"]
    64
    """
    chip = ACCELERATORS[accelerator]
    work, held = per_sequence(model, context)
    weight_bytes, one = parameters(model) * WEIGHTS[weights], held * CACHES[cache]
    flops, moved = batch * work, weight_bytes + batch * one
    compute, transfer = flops / chip["flops"], moved / chip["bandwidth"]
    seconds = max(compute, transfer)
    return {"weight_bytes": weight_bytes, "cache_bytes": batch * one, "fits": moved <= chip["memory"],
            "largest_batch": max(0, int((chip["memory"] - weight_bytes) // one)), "flops": flops,
            "intensity": flops / moved, "bound": "compute" if compute >= transfer else "memory", "seconds": seconds,
            "tokens_per_second": batch / seconds, "attained": flops / seconds}


def make() -> dict[str, Any]:
    """What cost.json holds."""
    models = {name: {**shape, "parameters": parameters(name)} for name, shape in MODELS.items()}
    return {"models": models, "accelerators": ACCELERATORS, "weights": WEIGHTS, "caches": CACHES, "batches": BATCHES,
            "contexts": CONTEXTS}


def reference() -> list[dict[str, Any]]:
    """What cost_reference.json holds: settings drawn from a fixed seed, out of all there are, and their results."""
    every = list(itertools.product(MODELS, ACCELERATORS, BATCHES, CONTEXTS, WEIGHTS, CACHES))
    names = ("model", "accelerator", "batch", "context", "weights", "cache")
    chosen = random.Random(4).sample(every, SETTINGS)
    return [{**dict(zip(names, setting, strict=True)), "result": point(*setting)} for setting in chosen]


if __name__ == "__main__":
    for path, data in ((OUT, make()), (REFERENCE, reference())):
        path.write_text(json.dumps(data, separators=(",", ":")) + "\n", encoding="utf-8")
        print(f"wrote {path.name}: {path.stat().st_size / 1e3:.0f} kB")
