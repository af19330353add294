"""Rounds the shipped target, and the same function with outliers, in many ways, and measures the loss of each.

    python -m benchmarks.quantization
    python -m benchmarks.quantization sizes      only the sizes of the files, written anew into the results

Writes results/quantization.json. Every scheme is a model of llmlab/models/quantized.py that stores packed weights. Kept
are bits of a weight of the layers with the scales counted, bits of a number of the whole file (embedding and norms at
16 bits), its size, and the size of the file that was really written; then against the unquantized model: perplexity
ratio, divergence, agreement of the next token. Nothing is timed: see benchmarks/quantization_speed.py.
"""

from __future__ import annotations

import copy
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import llmlab
from benchmarks import scheme_table, schemes
from benchmarks.record import RESULTS, write

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from llmlab import calibration, models, quantization  # noqa: E402  (after the choice of the code)
from llmlab.models import quantized  # noqa: E402
from llmlab.models.calibrate import changed, inputs, matrices, rows  # noqa: E402
from llmlab.models.quantized import WEIGHTS  # noqa: E402
from llmlab.models.widen import with_outliers  # noqa: E402

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


def packed(lm: models.LM, calibrating: Tensor, names: tuple[str, ...]) -> Iterator[tuple[str, models.LM]]:
    """Scheme -> the model with packed weights. AWQ searches on fewer rows than GPTQ's Hessians have."""
    flows = inputs(lm, calibrating)
    few = {key: x[: SEARCHED * WIDTH] for key, x in flows.items()}
    for key in names:
        yield key, quantized.quantize(lm, key, quantization, calibration, few if key.startswith("awq") else flows)


def sizes(key: str, small: models.LM) -> Values:
    """Bits and megabytes of a packed model, computed; and the megabytes of its file, written."""
    bits = quantized.bits_per_weight(small)
    layers = sum(math.prod(layer.shape) for layer in quantized.layers_of(small).values())
    every = layers + sum(p.numel() for p in small.model.parameters())
    total = bits * layers + 16 * (every - layers)
    with tempfile.TemporaryDirectory() as folder:
        written = quantized.save(small, Path(folder) / "model.safetensors")
    return {f"bits_{key}": bits, f"file_bits_{key}": total / every, f"mb_{key}": total / 8e6,
            f"written_mb_{key}": written / 1e6}


def weight_only(name: str, lm: models.LM, judge: Judge, calibrating: Tensor) -> Values:
    """All schemes for the weights of one model."""
    values: Values = {}
    for key, small in packed(lm, calibrating, WEIGHTS):
        found = judge.of(small)
        values |= {f"{name}_{key}_{what}": number for what, number in found.items()}
        if name == "target":
            values |= sizes(key, small)
        if key == "int4_32":
            values[f"{name}_int4_32_noise"] = judge.noise(small)
        say(f"{name:8} {key:16} {quantized.bits_per_weight(small):6.3f} bits", found)
    return values


def with_loud_inputs(lm: models.LM, judge: Judge, calibrating: Tensor) -> Values:
    """Weights only, where a few channels of the activations are large: the case that AWQ was made for."""
    values: Values = {"kept_share": SHARE}
    made = dict(packed(lm, calibrating, ("int4_32", "awq4_32", "gptq4_32")))
    flows, plain = inputs(lm, calibrating), quantized.layers_of(made["int4_32"])
    for by in ("inputs", "weights", "chance"):
        weights, values[f"bits_kept_{by}"] = schemes.kept(lm, plain, flows, SHARE, by)
        made[f"kept_{by}"] = changed(lm, weights)
    for key, model in made.items():
        found = judge.of(model)
        values |= {f"loud_{key}_{what}": number for what, number in found.items()}
        say(f"loud     {key:16}", found)
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
    smooth = changed(lm, quantized.moved(lm, flows, calibration.smoothquant_scales, calibration))
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
    keep(values | scheme_table.losses(values))


def only_sizes() -> None:
    """The sizes of every scheme, into the results as they are."""
    torch.set_num_threads(1)
    target, values = models.load("target"), {}
    for key, small in packed(target, rows(target, CALIBRATION, WIDTH), WEIGHTS):
        values |= sizes(key, small)
        say(key, {what: number for what, number in values.items() if what.endswith(f"_{key}")})
    keep(json.loads((RESULTS / "quantization.json").read_text(encoding="utf-8"))["values"] | values)


def keep(values: Values) -> None:
    """Write the results, with the table that the book shows."""
    path = write("quantization", COMMAND, values)
    kept = json.loads(path.read_text(encoding="utf-8"))
    kept["tables"] = {"schemes": scheme_table.table(kept["values"])}
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    only_sizes() if sys.argv[1:] == ["sizes"] else main()
