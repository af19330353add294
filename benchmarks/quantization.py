"""Rounds the shipped target, and the same function with outliers, in many ways, and measures the loss of each.

    python -m benchmarks.quantization

Writes results/quantization.json. For every scheme: bits of a weight of the layers with the scales counted, bits of a
number of the whole file (embedding and norms at 16 bits) and its size, then against the unquantized model: perplexity
ratio, divergence, agreement of the next token. Nothing is timed: see benchmarks/quantization_speed.py.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks import scheme_table, schemes
from benchmarks.record import write
from benchmarks.schemes import calibration
from llmlab import models
from llmlab.models.calibrate import changed, inputs, matrices, rows
from llmlab.models.widen import with_outliers

COMMAND = "python -m benchmarks.quantization"
ROWS, CALIBRATION, SEARCHED, WIDTH = 96, 32, 4, 128
"""Rows of validation text measured; rows of training text for Hessians; of these, for AWQ's search; tokens of each."""
FACTOR = 100
"""By how much four channels of the inputs of every attention and MLP are larger in the model with loud activations."""
SHARE = 0.02
"""Share of the columns that keep 16 bits where AWQ is compared with keeping them."""
Values = dict[str, float | int | str]
Product = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Judge:
    """Compares models with the unquantized one on fixed text."""

    ids: Tensor
    reference: Tensor

    def of(self, lm: models.LM) -> Values:
        found = logits(lm, self.ids)
        divergence, agreement = calibration.drift(self.reference, found)
        base = calibration.perplexity(self.reference, self.ids)
        return {"ratio": calibration.perplexity(found, self.ids) / base, "kl": divergence, "agree": agreement}

    def noise(self, lm: models.LM) -> float:
        """Standard error of the perplexity ratio, from the differences of the rows."""
        found = logits(lm, self.ids)
        each = [math.log(calibration.perplexity(a[None], ids[None]) / calibration.perplexity(b[None], ids[None]))
                for a, b, ids in zip(found, self.reference, self.ids, strict=True)]
        return float(torch.tensor(each).std()) / len(each) ** 0.5


@torch.inference_mode()
def logits(lm: models.LM, ids: Tensor) -> Tensor:
    return torch.cat([lm.logits(part) for part in ids.split(8)])


def say(what: str, found: Values) -> None:
    print(what + "  " + "  ".join(f"{key} {value:.5g}" for key, value in found.items()), flush=True)


def file_size(lm: models.LM, bits: float) -> tuple[float, float]:
    """Bits of a number of the whole file, and its megabytes: what is not in the layers' matrices takes 16 bits."""
    every = sum(p.numel() for p in lm.model.parameters())
    inside = sum(w.numel() for w in matrices(lm).values())
    total = bits * inside + 16 * (every - inside)
    return total / every, total / 8e6


def weight_only(name: str, lm: models.LM, judge: Judge, calibrating: Tensor) -> Values:
    """All schemes for the weights of one model."""
    flows = inputs(lm, calibrating)
    few = {key: x[: SEARCHED * WIDTH] for key, x in flows.items()}
    makers = {key: lambda scheme=scheme: schemes.rounded(lm, scheme) for key, scheme in schemes.NAIVE.items()}
    for bits in (4, 3, 2):
        makers[f"gptq{bits}_32"] = lambda bits=bits: schemes.gptq(lm, flows, bits, 32)
    makers |= {"gptq4_channel": lambda: schemes.gptq(lm, flows, 4, None),
               "gptq4_32_order": lambda: schemes.gptq(lm, flows, 4, 32, act_order=True),
               "awq4_32": lambda: schemes.awq(lm, few, 4, 32), "awq3_32": lambda: schemes.awq(lm, few, 3, 32)}
    values: Values = {}
    for key, make in makers.items():
        weights, bits = make()
        quantized = changed(lm, weights)
        found = judge.of(quantized)
        values |= {f"{name}_{key}_{what}": number for what, number in found.items()}
        whole, megabytes = file_size(lm, bits)
        values |= {f"bits_{key}": bits, f"file_bits_{key}": whole, f"mb_{key}": megabytes}
        if key == "int4_32":
            values[f"{name}_int4_32_noise"] = judge.noise(quantized)
        say(f"{name:8} {key:16} {bits:6.3f} bits", found)
    return values


def with_loud_inputs(lm: models.LM, judge: Judge, calibrating: Tensor) -> Values:
    """Weights only, where a few channels of the activations are large: the case that AWQ was made for."""
    flows = inputs(lm, calibrating)
    few = {key: x[: SEARCHED * WIDTH] for key, x in flows.items()}
    made = {"int4_32": schemes.rounded(lm, schemes.NAIVE["int4_32"]), "awq4_32": schemes.awq(lm, few, 4, 32),
            "gptq4_32": schemes.gptq(lm, flows, 4, 32)}
    made |= {f"kept_{by}": schemes.kept(lm, flows, schemes.NAIVE["int4_32"], SHARE, by)
             for by in ("inputs", "weights", "chance")}
    values: Values = {"kept_share": SHARE}
    for key, (weights, bits) in made.items():
        found = judge.of(changed(lm, weights))
        values |= {f"loud_{key}_{what}": number for what, number in found.items()}
        if key.startswith("kept"):
            values[f"bits_{key}"] = bits
        say(f"loud     {key:16} {bits:6.3f} bits", found)
    return values


def per_row(x: Tensor) -> Tensor:
    return calibration.round_to_nearest(x, 8)


def per_tensor(x: Tensor) -> Tensor:
    return calibration.round_to_nearest(x.reshape(1, -1), 8).view_as(x)


PRODUCTS: dict[str, Product] = {
    "tensor": lambda x, w: per_tensor(x) @ per_tensor(w).T,
    "row": lambda x, w: per_row(x) @ per_row(w).T,
    "llm_int8": calibration.llm_int8,
}


def both_sides(name: str, lm: models.LM, judge: Judge, calibrating: Tensor) -> Values:
    """Weights and activations in 8 bits; SmoothQuant before it with scales for tensors and for rows."""
    flows = inputs(lm, calibrating)
    smooth = changed(lm, schemes.moved(lm, flows, calibration.smoothquant_scales))
    runs = {key: (lm, product) for key, product in PRODUCTS.items()}
    runs |= {"smooth_tensor": (smooth, PRODUCTS["tensor"]), "smooth_row": (smooth, PRODUCTS["row"])}
    values: Values = {}
    for key, (model, product) in runs.items():
        found = judge.of(changed(model, {}, product))
        values |= {f"{name}_w8a8_{key}_{what}": number for what, number in found.items()}
        say(f"{name:8} w8a8 {key:16}", found)
    columns = [float((x.abs() > 6).any(0).float().mean()) for x in flows.values()]
    mean = sum(columns) / len(columns)
    return values | {f"{name}_outlier_columns": mean, f"{name}_outlier_columns_most": max(columns)}


def same_function(judge: Judge, lm: models.LM) -> float:
    """The largest difference of a logit."""
    return float((logits(lm, judge.ids) - judge.reference).abs().max())


def main() -> None:
    torch.set_num_threads(1)
    target, outlier = models.load("target"), models.load("outlier")
    loud = copy.copy(target)
    loud.model = with_outliers(target.model, factor=1 / FACTOR).eval()
    ids = rows(target, ROWS, WIDTH, "validation")
    judge, calibrating = Judge(ids, logits(target, ids)), rows(target, CALIBRATION, WIDTH)
    every = sum(p.numel() for p in target.model.parameters())
    values: Values = {
        "tokens": ids.numel(), "calibration_tokens": calibrating.numel(), "parameters": every,
        "layer_share": sum(w.numel() for w in matrices(target).values()) / every,
        "perplexity": calibration.perplexity(judge.reference, ids), "outlier_difference": same_function(judge, outlier),
        "loud_difference": same_function(judge, loud), "loud_factor": FACTOR,
    }
    for name, lm in (("target", target), ("outlier", outlier)):
        values |= weight_only(name, lm, judge, calibrating)
    values |= with_loud_inputs(loud, judge, calibrating)
    for name, lm in (("target", target), ("loud", loud)):
        values |= both_sides(name, lm, judge, calibrating)
    path = write("quantization", COMMAND, values | scheme_table.losses(values))
    kept = json.loads(path.read_text(encoding="utf-8"))
    kept["tables"] = {"schemes": scheme_table.table(kept["values"])}
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
