"""The right values of lab 6's numeric questions, and the values that known mistakes lead to.

Plain arithmetic, and the shipped models in float64; nothing is taken from `solutions`. GPTQ is done the long way: after
each column the inverse Hessian of the columns that are left is made again from its definition by elimination.
`tests/lab` computes all of it again by other code.

Tolerances. A student computes in float32. That moves a few numbers to the neighbouring grid point, and with them a
ratio by less than 0.001. Counts are exact.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from llmlab import models
from llmlab.grading.answers import Key
from llmlab.models import calibrate
from llmlab.models.lm import LM

EXACT = 0.25
NAME = "model.layers.1.self_attn.q_proj.weight"


def nearest(w: Tensor, bits: int, group: int) -> Tensor:
    """Every number on the grid of its group: `group` neighbours of a row, or -1 for the row, 0 for all."""
    parts = w.reshape(-1, {0: w.numel(), -1: w.shape[1]}.get(group, group))
    step = parts.abs().max(1, keepdim=True).values / (2 ** (bits - 1) - 1)
    return (torch.round(parts / step) * step).view_as(w)


@functools.cache
def loaded(name: str) -> LM:
    return models.load(name, torch.float64)


def group_gain() -> dict[str, Key]:
    def error(group: int, name: str = "target", bits: int = 4) -> float:
        w = calibrate.matrices(loaded(name))[NAME]
        return float((nearest(w, bits, group) - w).square().mean())

    right = error(0) / error(32)
    return {"group-gain": Key(right, 0.01, {
        "from-rows": (error(-1) / error(32), "That is the gain over scales for rows; start from one for the matrix."),
        "to-rows": (error(0) / error(-1), "That is the gain of a scale for each row. Take one for each 32 numbers."),
        "root": (right**0.5, "That is the factor of the root; the question asks for the mean squared error."),
        "upside-down": (1 / right, "That is the other way round."),
        "outlier-model": (error(0, "outlier") / error(32, "outlier"), "That is the outlier model's matrix; take `w`."),
        "eight-bits": (error(0, bits=8) / error(32, bits=8), "That is with 8 bits; take 4."),
    })}


def on_paper() -> dict[str, Key]:
    params, kept = 68_976_648_192, 2 * 32_000 * 8_192

    def gb(bits: float, outer: float = 16, unit: float = 1e9) -> float:
        return ((params - kept) * bits + kept * outer) / 8 / unit

    return {
        "e4m3-numbers": Key(253, EXACT, {
            "two-zeros": (254, "0 and -0 are one number."),
            "all-codes": (256, "Two codes are not a number, and 0 has two codes."),
            "with-infinities": (239, "E4M3 has no infinities: most codes with the largest exponent are numbers."),
            "with-nan": (255, "Two codes mean that there is no number."),
        }),
        "gb-70b": Key(gb(4.5), 0.011, {
            "no-scales": (gb(4), "The scales were not counted: 16 bits for each 32 weights."),
            "everything-in-4.5": (gb(4.5, 4.5), "The embedding and the output matrix stay in 16 bits."),
            "bare": (gb(4, 4), "That is 4 bits for everything; count the scales and the two large matrices."),
            "gibibytes": (gb(4.5, unit=2**30), "That is in GiB, 2^30 bytes; the question asks for 10^9."),
            "scales-of-32-bits": (gb(5), "The scales have 16 bits, not 32."),
            "one-of-two": ((gb(4.5) + gb(4.5, 4.5)) / 2, "Embedding and output matrix are two matrices."),
        }),
    }


@functools.cache
def flows() -> dict[str, Tensor]:
    """The rows that each matrix of the target is multiplied with while it reads the calibration text."""
    lm = loaded("target")
    return calibrate.inputs(lm, calibrate.rows(lm, 8))


def paid_by_others(w: Tensor, x: Tensor, bits: int, group: int) -> Tensor:
    """GPTQ column by column with the inverse of the Hessian of the columns that are left, held as a whole matrix."""
    size, h = w.shape[1], 2 * x.T @ x
    inverse = torch.linalg.inv(h + 0.01 * h.diagonal().mean() * torch.eye(size, dtype=x.dtype))
    w, out = w.clone(), torch.empty_like(w)
    for i in range(size):
        if i % group == 0:
            step = w[:, i:i + group].abs().max(1).values / (2 ** (bits - 1) - 1)
        out[:, i] = torch.clamp(torch.round(w[:, i] / step), 1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1) * step
        w -= torch.outer((w[:, i] - out[:, i]) / inverse[i, i], inverse[i])
        inverse = inverse - torch.outer(inverse[:, i], inverse[i]) / inverse[i, i]  # column i is gone
    return out


def gptq_ratio() -> dict[str, Key]:
    x, w = flows()[NAME], calibrate.matrices(loaded("target"))[NAME]

    def fall(bits: int, group: int) -> tuple[float, float]:
        """How many times smaller the error of the output is, and that of the weights."""
        pair = [one - w for one in (nearest(w, bits, group), paid_by_others(w, x, bits, group))]
        outputs = [float((x @ one.T).square().mean()) for one in pair]
        weights = [float(one.square().mean()) for one in pair]
        return outputs[0] / outputs[1], weights[0] / weights[1]

    right, of_weights = fall(3, 32)
    return {"gptq-ratio": Key(right, 0.02, {
        "weights": (of_weights, "That is the error of the weights; the question asks for the output's."),
        "upside-down": (1 / right, "That is the other way round."),
        "root": (right**0.5, "That is the factor of the root; the question asks for the mean squared error."),
        "four-bits": (fall(4, 32)[0], "That is with 4 bits; take 3."),
        "whole-rows": (fall(3, 256)[0], "That is with a scale for each row; take groups of 32."),
    })}


@functools.cache
def text() -> Tensor:
    return calibrate.rows(loaded("target"), 4, part="validation")


def nats(lm: LM) -> float:
    """Mean cost of a token of the validation text."""
    logp = lm.logits(text())[:, :-1].log_softmax(-1)
    return float(-logp.gather(2, text()[:, 1:, None]).mean())


def growth(name: str, bits: int, group: int) -> float:
    """Perplexity with every matrix of the layers rounded, over that without."""
    lm = loaded(name)
    rounded = {key: nearest(w, bits, group) for key, w in calibrate.matrices(lm).items()}
    return math.exp(nats(calibrate.changed(lm, rounded)) - nats(lm))


def outlier_ratio() -> dict[str, Key]:
    right = growth("outlier", 4, 32)
    return {"outlier-ratio": Key(right, 0.003, {
        "a-scale-a-row": (growth("outlier", 4, -1), "That is with a scale for each row; take groups of 32."),
        "plain-model": (growth("target", 4, 32), "That is the plain model; take the one with outliers."),
        "three-bits": (growth("outlier", 3, 32), "That is with 3 bits; take 4."),
        "nats": (math.log(right), "That is the growth of the loss in nats; perplexity is its exponential."),
        "growth-alone": (right - 1, "That is what is added; the question asks for the factor."),
    })}


def half_pruned() -> dict[str, Key]:
    """Channels are taken out by zeros in the columns that read them."""
    lm = loaded("target")
    channels = {name: flow for name, flow in flows().items() if "down_proj" in name}

    def kept(score: Callable[[Tensor], Tensor]) -> float:
        cut = {}
        for name, flow in channels.items():
            order = score(flow).argsort(descending=True)
            cut[name] = calibrate.matrices(lm)[name].clone()
            cut[name][:, order[352:]] = 0
        return math.exp(nats(calibrate.changed(lm, cut)) - nats(lm))

    right = kept(lambda flow: flow.abs().sum(0))
    return {"half-pruned": Key(right, 0.003, {
        "least-important": (kept(lambda flow: -flow.abs().sum(0)), "Those are the least important channels."),
        "mean-without-size": (kept(lambda flow: flow.sum(0)), "The mean was taken without the absolute value."),
        "size-of-the-mean": (kept(lambda flow: flow.sum(0).abs()), "Take the absolute value first, then the mean."),
        "the-first": (kept(lambda flow: -torch.arange(flow.shape[1])), "Those are the first 352, not the best."),
        "nats": (math.log(right), "That is the growth of the loss in nats; perplexity is its exponential."),
    })}


@functools.cache
def answers() -> dict[str, Key]:
    """Question id -> key."""
    return {**group_gain(), **on_paper(), **gptq_ratio(), **outlier_ratio(), **half_pruned()}
