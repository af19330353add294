"""Checks of quantize: which tensors of a model are rounded and how, and what a number takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from llmlab.checks.calibration import columns
from llmlab.checks.calibration.oracle import gptq, nearest
from llmlab.checks.calibration.parts_judged import Result, judge, normal
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

TASK = "calibration.quantize"
ROUNDED, BITS, HESSIANS = "what is rounded", "bits, scales included", "by Hessian where there is one"
TASKS = (
    Task(TASK, "lab6", "round a model and count its bits", {ROUNDED: 1, BITS: 1, HESSIANS: 1},
         "part4/calibration.html#sec-quantize-model"),
)
SKIP = ("embed_tokens", "lm_head")
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Rule:
    """The right rule, and ways to get it wrong."""

    embedding: bool = False  # rounded, too
    output: bool = False
    vectors: bool = False
    skipped_by: Callable[[str, str], bool] = lambda part, name: part in name
    grouped: bool = True
    hessians: str = "by name"
    scale_bits: int = 16
    kept_bits: int = 16
    scales_per_row: bool = True
    kept_counts: bool = True


WRONG: dict[str, tuple[Rule, str]] = {
    "embedding-quantized": (
        Rule(embedding=True), "The embedding was rounded. Names in `skip` stay: a token's vector is looked up.",
    ),
    "output-quantized": (Rule(output=True), "The output matrix was rounded. Names in `skip` stay."),
    "skip-ignored": (Rule(embedding=True, output=True), "`skip` had no effect."),
    "norm-quantized": (
        Rule(vectors=True), "Gains or biases were rounded. Only tensors of two dimensions are matrices.",
    ),
    "skips-whole-names-only": (
        Rule(skipped_by=lambda part, name: part == name),
        "Only names that equal a word of `skip` were left out. A name that contains it stays, too.",
    ),
    "quantize-ignores-group": (Rule(grouped=False), "Whole rows were rounded: group was ignored."),
    "hessians-ignored": (Rule(hessians="never"), "The Hessians were not used: all matrices are rounded to nearest."),
    "first-hessian-for-all": (
        Rule(hessians="first"), "A Hessian was used for a matrix of another name. Each belongs to the inputs of one.",
    ),
    "scales-not-counted": (
        Rule(scale_bits=0), "The scales were not counted. They are stored with the codes, 16 bits each.",
    ),
    "scales-of-32-bits": (Rule(scale_bits=32), "A scale was counted with 32 bits. It takes 16 here."),
    "one-scale-per-matrix": (
        Rule(scales_per_row=False), "Scales were counted once, not for every row of the matrix.",
    ),
    "kept-not-counted": (
        Rule(kept_counts=False), "Only the rounded numbers were counted. What stays takes 16 bits each.",
    ),
    "kept-counts-as-rounded": (
        Rule(kept_bits=0), "What stays was counted with the bits of a code. It takes 16 bits.",
    ),
    "kept-of-32-bits": (Rule(kept_bits=32), "What stays was counted with 32 bits. It takes 16 here."),
}


def made(weights: Weights, bits: int, group: int | None, hessians: Weights | None, skip: tuple[str, ...],
         rule: Rule = Rule()) -> tuple[dict[str, Tensor], float]:
    """The result under a rule."""
    out, spent, numbers = {}, 0, 0
    for name, w in weights.items():
        stays = any(rule.skipped_by(part, name) for part in skip)
        if (rule.embedding and "embed" in name) or (rule.output and "lm_head" in name):
            stays = False
        if stays or w.dim() != 2 and not rule.vectors:
            out[name] = w
            if rule.kept_counts:
                spent, numbers = spent + (rule.kept_bits or bits) * w.numel(), numbers + w.numel()
            continue
        size = (group if rule.grouped else None) or w.shape[-1]
        found = chosen(name, w, hessians or {}, rule)
        if found is not None:
            out[name] = gptq(w, found, bits, size).to(w.dtype)
        else:
            rows = w.reshape(-1, w.shape[-1])
            out[name] = nearest(rows, bits, size if rows.shape[1] % size == 0 else None).view(w.shape).to(w.dtype)
        rows = w.numel() // w.shape[-1] if rule.scales_per_row else 1
        spent += bits * w.numel() + rule.scale_bits * rows * (w.shape[-1] // size)
        numbers += w.numel()
    return out, spent / max(numbers, 1)


def chosen(name: str, w: Tensor, hessians: Weights, rule: Rule) -> Tensor | None:
    if rule.hessians == "first":
        fitting = [h for h in hessians.values() if len(h) == w.shape[-1]]
        return fitting[0] if fitting else None
    return hessians.get(name) if rule.hessians == "by name" else None


def case(group: str, weights: Weights, bits: int, size: int | None = None, hessians: Weights | None = None,
         skip: tuple[str, ...] | None = None) -> Case:
    used = SKIP if skip is None else skip

    def under(rule: Rule = Rule()) -> tuple[dict[str, Tensor], float]:
        return made(weights, bits, size, hessians, used, rule)

    wrong = {name: (lambda rule=rule: under(rule), words) for name, (rule, words) in WRONG.items()}
    given = {"group": size} | ({"hessians": dict(hessians)} if hessians else {}) | ({"skip": skip} if skip else {})
    shapes = ", ".join(f"{name} {tuple(w.shape)}" for name, w in weights.items())
    return Case(TASK, group, (Call("quantize", (dict(weights), bits), given),),
                Result(under(), wrong, 1 if group == BITS else 0), f"quantize({{{shapes}}}, bits={bits}, group={size})")


def model(generator: torch.Generator, width: int, outputs: int, layers: int, bits: int,
          group: int | None) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights under the names of a Llama, and Hessians for some of the matrices."""
    weights = {"model.embed_tokens.weight": normal(generator, 7, width)}
    hessians = {}
    for layer in range(layers):
        at = f"model.layers.{layer}"
        weights[f"{at}.input_layernorm.weight"] = normal(generator, width)
        for name in ("self_attn.q_proj", "mlp.up_proj"):
            w, h = columns.draw(generator, outputs, width, bits, group)
            weights[f"{at}.{name}.weight"] = w
            if name == "mlp.up_proj":
                hessians[f"{at}.{name}.weight"] = h
    weights["model.layers.0.self_attn.q_proj.bias"] = normal(generator, outputs)
    weights["lm_head.weight"] = normal(generator, 11, width)
    return weights, hessians


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(65_000 + seed)
    made = []
    for width, outputs, layers, bits, size in ((4, 4, 1, 4, 2), (6, 2, 2, 3, None)):
        weights, hessians = model(generator, width, outputs, layers, bits, size)
        made.append(case(ROUNDED, weights, bits, size))
        made.append(case(BITS, weights, bits, size))
        made.append(case(HESSIANS, weights, bits, size, hessians))
    made.append(case(ROUNDED, weights, 4, None, skip=("lm_head", "q_proj")))
    made.append(case(BITS, weights, 8, 2, skip=("up_proj",)))
    return made
