"""The ways to round a matrix that benchmarks/quantization.py compares. Each says how many bits a weight then takes.

Nothing is measured here. Grids, tables and GGUF blocks are those of solutions/quantization.py, methods that look at
data those of solutions/calibration.py. A scale takes 16 bits, unless a format says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

import llmlab

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from llmlab import calibration, quantization  # noqa: E402  (after the choice of the code)
from llmlab.models import LM  # noqa: E402
from llmlab.models.calibrate import matrices, readers  # noqa: E402

Scheme = Callable[[Tensor], tuple[Tensor, float]]
"""A matrix -> (what is left of it, bits of a weight with its share of the scales)."""
SCALE_BITS = 16


def grid(bits: int, by: str | int) -> Scheme:
    """Symmetric codes; by: "tensor", "channel" or the size of a group."""
    def rounded(w: Tensor) -> tuple[Tensor, float]:
        codes, scales = quantization.symmetric(w, bits, by)
        return quantization.dequantize(codes, scales).view_as(w), bits + SCALE_BITS * scales.numel() / w.numel()
    return rounded


def nf4(group: int, double: bool) -> Scheme:
    """NF4 with a float32 scale for each group, as in QLoRA; double: with scales of 8 bits, 256 of them to a step."""
    def rounded(w: Tensor) -> tuple[Tensor, float]:
        table = quantization.nf4_table()
        codes, scales = quantization.table_codes(w, table, group)
        bits = quantization.bits_per_weight(4, group, 32)
        if double:
            block = 256 if scales.numel() % 256 == 0 else scales.numel() // 8
            small, steps, offset = quantization.double_quantize(scales, block)
            scales = (small.view(-1, block) * steps).view(-1, 1) + offset
            bits = quantization.bits_per_weight(4, group, 8, block=block)
        return (table[codes.long()].view(-1, group) * scales).view_as(w), bits
    return rounded


def blocks(name: str) -> Scheme:
    """GGUF blocks, 32 or 256 numbers each. They run on from one row to the next where a row is no whole number of them,
    which a GGUF file does not allow."""
    def rounded(w: Tensor) -> tuple[Tensor, float]:
        packed = getattr(quantization, name)(w.reshape(1, -1))
        return decoded(name, packed).view_as(w), 8 * packed.numel() / w.numel()
    return rounded


def decoded(name: str, packed: Tensor) -> Tensor:
    """The numbers of blocks (n, bytes) uint8."""
    if name == "q4_k":
        return quantization.from_q4_k(packed)
    scale = packed[:, :2].contiguous().view(torch.float16).float()
    codes = packed[:, 2:]
    if name == "q8_0":
        return codes.contiguous().view(torch.int8) * scale
    return (torch.cat([codes & 15, codes >> 4], 1).float() - 8) * scale


def small_float(exponent_bits: int, mantissa_bits: int, largest: float) -> Scheme:
    """An 8-bit float with one scale for the matrix, so that its largest magnitude becomes `largest`."""
    def rounded(w: Tensor) -> tuple[Tensor, float]:
        scale = w.abs().max() / largest
        made = quantization.round_float(w / scale, exponent_bits, mantissa_bits, largest)
        return made.view_as(w) * scale, 8 + 32 / w.numel()
    return rounded


def bf16(w: Tensor) -> tuple[Tensor, float]:
    """What the models are shipped in."""
    return w.bfloat16().float(), 16


NAIVE: dict[str, Scheme] = {
    "bf16": bf16,
    **{f"int{bits}_{by}": grid(bits, by) for bits in (8, 4, 3, 2) for by in ("tensor", "channel", 32)},
    "e4m3": small_float(4, 3, 448.0), "e5m2": small_float(5, 2, 57344.0),
    **{f"nf4_{group}{'_double' if double else ''}": nf4(group, double) for group in (32, 64) for double in (False, True)},
    "q8_0": blocks("q8_0"), "q4_0": blocks("q4_0"), "q4_k": blocks("q4_k"),
}
"""Schemes that look at nothing but the matrix."""


def rounded(lm: LM, scheme: Scheme) -> tuple[dict[str, Tensor], float]:
    """The matrices inside the layers under a scheme, and the bits of one weight of them."""
    made, spent, numbers = {}, 0.0, 0
    for name, w in matrices(lm).items():
        made[name], bits = scheme(w)
        spent, numbers = spent + bits * w.numel(), numbers + w.numel()
    return made, spent / numbers


def gptq(lm: LM, inputs: Mapping[str, Tensor], bits: int, group: int | None,
         act_order: bool = False) -> tuple[dict[str, Tensor], float]:
    """GPTQ for every matrix inside the layers, each with the Hessian of its own inputs in the unquantized model.

    act_order needs the order of the columns, too: 16 bits for each of a matrix.
    """
    made, spent, numbers = {}, 0.0, 0
    for name, w in matrices(lm).items():
        hessian = calibration.gptq_hessian(inputs[name].double())
        made[name] = calibration.gptq(w.double(), hessian, bits, group, act_order).float()
        spent += bits * w.numel() + SCALE_BITS * (w.numel() // (group or w.shape[1]) + act_order * w.shape[1])
        numbers += w.numel()
    return made, spent / numbers


def kept(lm: LM, inputs: Mapping[str, Tensor], scheme: Scheme, share: float,
         by: str) -> tuple[dict[str, Tensor], float]:
    """A scheme, but a share of every matrix's columns keeps 16 bits: those with the largest inputs ("inputs"), the
    largest weights ("weights"), or random ones ("chance")."""
    generator, made, spent, numbers = torch.Generator().manual_seed(0), {}, 0.0, 0
    for name, w in matrices(lm).items():
        size = {"inputs": lambda x=inputs[name]: x.abs().mean(0), "weights": lambda w=w: w.abs().mean(0),
                "chance": lambda w=w: torch.rand(w.shape[1], generator=generator)}[by]()
        chosen = size.topk(max(1, round(share * w.shape[1]))).indices
        made[name], bits = scheme(w)
        made[name] = made[name].index_copy(1, chosen, w[:, chosen])
        spent += bits * w.numel() + (16 - bits) * len(chosen) * len(w) + 16 * len(chosen)
        numbers += w.numel()
    return made, spent / numbers


def moved(lm: LM, inputs: Mapping[str, Tensor], scales: Callable[[Tensor, Tensor], Tensor]) -> dict[str, Tensor]:
    """Every norm gain and matrix of the layers after scales(x, w) was folded wherever it can be; the same function."""
    state = {name: tensor.detach() for name, tensor in lm.model.state_dict().items()}
    for before, names in readers(lm).items():
        joined = torch.cat([state[name] for name in names])
        scale = scales(inputs[names[0]], joined)
        state[before], joined = calibration.fold_scales(state[before], joined, scale)
        parts = joined.split([len(state[name]) for name in names])
        state |= dict(zip(names, parts, strict=True))
    return {name: tensor for name, tensor in state.items() if name.startswith("model.layers.")}


def awq(lm: LM, inputs: Mapping[str, Tensor], bits: int, group: int | None) -> tuple[dict[str, Tensor], float]:
    """AWQ: scales searched and folded, then every matrix to its nearest grid. The scales cost no bits."""
    made = moved(lm, inputs, lambda x, w: calibration.awq_scales(x, w, bits, group)[1])
    scheme, spent, numbers = grid(bits, group or "channel"), 0.0, 0
    for name in matrices(lm):
        made[name], took = scheme(made[name])
        spent, numbers = spent + took * made[name].numel(), numbers + made[name].numel()
    return made, spent / numbers
