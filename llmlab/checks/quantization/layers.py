"""Checks of quantize_kv, QuantizedLinear and bits_per_weight: where the grids are used, and what they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from llmlab.checks.compare import show, value_of
from llmlab.checks.flops.verdicts import Mistakes, Right, Want
from llmlab.checks.flops.verdicts import judge as judge_number
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import PASS, Call, Case, Do, Event, New, Output, Task, Verdict
from llmlab.checks.quantization import kit
from llmlab.checks.quantization.grids import odd_symmetric, symmetric_by_hand, weights
from llmlab.checks.quantization.kit import By, Made, Mistake, Parts, clear, half
from llmlab.checks.quantization.nibbles import packed_by_hand

__all__ = ["TASKS", "cases", "judge"]

CACHE, LAYER, BITS = "quantization.quantize_kv", "quantization.QuantizedLinear", "quantization.bits_per_weight"
EIGHT, FEWER = "8 bits", "fewer bits"
STORED, OUTPUT, BIAS = "what is stored", "the output", "with a bias"
COUNTED = "scales counted"
HALF_STEP = 1e-3
"""Weights may be made in float16, whose rounding is 5e-4. Another scale or a lost bias moves the output by per cents."""
TASKS = (
    Task(CACHE, "lab6", "quantize keys per channel and values per token", {EIGHT: 1, FEWER: 1},
         "part4/quantization.html#sec-kv-quantization"),
    Task(LAYER, "lab6", "a linear layer that keeps its weights packed", {STORED: 1, OUTPUT: 1, BIAS: 1},
         "part4/quantization.html#sec-quantized-linear"),
    Task(BITS, "lab6", "count the bits of a weight with its share of the scale", {COUNTED: 1},
         "part4/quantization.html#sec-bits-per-weight"),
)


def along(x: Tensor, dim: int | tuple[int, ...], bits: int) -> Made:
    """Codes and scales of a symmetric grid with the largest taken over `dim`."""
    most = 2 ** (bits - 1) - 1
    scales = x.abs().amax(dim, keepdim=True) / most
    return [(x / torch.where(scales == 0, 1.0, scales)).round().to(torch.int8), torch.where(scales == 0, 1.0, scales)]


def cache_by_hand(x: Tensor, per: str, bits: int) -> Made:
    """The oracle: one matrix (S, d) after another, on the oracle of `symmetric`; per "channel" it lies on its side."""
    codes, scales = torch.zeros(x.shape, dtype=torch.int8), []
    for b in range(x.shape[0]):
        for k in range(x.shape[1]):
            one = x[b, k].T if per == "channel" else x[b, k]
            found, steps = symmetric_by_hand(one, bits, "channel")
            codes[b, k] = found.T if per == "channel" else found
            scales.append(steps.T if per == "channel" else steps)
    return [codes, torch.stack(scales).reshape(*x.shape[:2], *scales[0].shape)]


def cache_case(group: str, generator: torch.Generator, shape: Sequence[int], bits: int | None = None) -> Case:
    """One call with keys of which one channel is large everywhere."""
    used = 8 if bits is None else bits
    batch, heads, tokens, size = shape
    loud = torch.ones(size)
    loud[size // 2] = 9.0

    def matrices(factor: Tensor, channel: bool) -> Tensor:
        made = []
        for _ in range(batch * heads):
            one = torch.randn(tokens, size, generator=generator) * factor
            one = one.T.contiguous() if channel else one
            one = clear(one, "channel", one.abs().amax(1, keepdim=True) / (2 ** (used - 1) - 1))
            made.append(one.T if channel else one)
        return torch.stack(made).reshape(*shape).contiguous()

    keys, values = matrices(loud, True), matrices(torch.ones(size), False)
    names = ("key codes", "key scales", "value codes", "value scales")
    right = dict(zip(names, [*cache_by_hand(keys, "channel", used), *cache_by_hand(values, "token", used)],
                     strict=True))
    wrong: list[Mistake] = [
        ("keys-per-token", lambda: [*along(keys, 3, used), *along(values, 3, used)],
         "The keys have a scale for each token. Theirs is for each channel, over all tokens: a channel that is "
         "large in every token would coarsen all the others."),
        ("values-per-channel", lambda: [*along(keys, 2, used), *along(values, 2, used)],
         "The values have a scale for each channel. Theirs is for each token: the next one then needs no other scale."),
        ("keys-and-values-swapped", lambda: [*along(keys, 3, used), *along(values, 2, used)],
         "Keys are per channel and values per token; it was the other way round."),
        ("scale-per-head", lambda: [*along(keys, (2, 3), used), *along(values, (2, 3), used)],
         "A whole head shares a scale. Keys have one for each channel, values for each token."),
        ("scale-over-all-heads", lambda: [*along(keys, (0, 1, 2), used), *along(values, (0, 1, 3), used)],
         "Sequences and heads share scales; each has its own."),
        ("ignores-bits", lambda: [*along(keys, 2, 8), *along(values, 3, 8)], "bits was ignored; 8 were used."),
    ]
    given = (keys, values) if bits is None else (keys, values, bits)
    return Case(CACHE, group, (Call("quantize_kv", given),), Parts(right, wrong))


def product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x W^T + bias in float64, as x's dtype."""
    out = x.double() @ weight.double().T
    return (out if bias is None else out + bias.double()).to(x.dtype)


def kept_weight(weight: Tensor, group: int) -> Tensor:
    """The oracle: the weights that the codes and the float16 scales stand for, float64."""
    codes, scales = symmetric_by_hand(weight, 4, group)
    steps = [half(scale) for scale in scales.reshape(-1).tolist()]
    flat = [code * steps[i // group] for i, code in enumerate(codes.reshape(-1).tolist())]
    return torch.tensor(flat, dtype=torch.float64).reshape(weight.shape)


def output_case(group: str, weight: Tensor, bias: Tensor | None, size: int, x: Tensor) -> Case:
    """Make a layer and run it."""
    def by(rule: By) -> Tensor:
        codes, scales = odd_symmetric(weight, 4, rule)
        return (codes.double().reshape(len(scales), -1) * scales.half().double()).reshape(weight.shape)

    kept = kept_weight(weight, size)
    wrong: list[Mistake] = [
        ("scale-per-tensor", lambda: [product(x, by("tensor"), bias)],
         "The whole matrix has one scale; each group of inputs of each row has its own."),
        ("scale-per-channel", lambda: [product(x, by("channel"), bias)],
         "Each row has one scale; each group of inputs of each row has its own."),
        ("not-quantized", lambda: [product(x, weight, bias)],
         "The output is that of the original weights: nothing was rounded."),
    ]
    if bias is not None:
        codes, scales = odd_symmetric(bias[None], 4, "channel")
        wrong += [
            ("bias-dropped", lambda: [product(x, kept, None)], "The bias is missing."),
            ("bias-dropped", lambda: [product(x, by("tensor"), None)],
             "The bias is missing, and the matrix has one scale."),
            ("bias-quantized", lambda: [product(x, kept, (codes * scales)[0])],
             "The bias was quantized, too. It is small, and every output has it: keep it as it is."),
            ("bias-subtracted", lambda: [product(x, kept, -bias)], "The bias was subtracted."),
        ]
    given = (weight, bias, size) if size != 32 else (weight, bias)
    steps = (New("layer", "QuantizedLinear", given), Do("layer", "forward", (x,)))
    shape = f"weight {tuple(weight.shape)}, {'no bias' if bias is None else 'bias'}, group={size}"
    return Case(LAYER, group, steps, Parts({"the output": product(x, kept, bias)}, wrong, whole=HALF_STEP),
                f"QuantizedLinear({shape}).forward(x {tuple(x.shape)} {str(x.dtype).removeprefix('torch.')})")


def stored_case(group: str, weight: Tensor, bias: Tensor | None, size: int) -> Case:
    """Make a layer and ask what it keeps."""
    codes, scales = symmetric_by_hand(weight, 4, size)
    right = {"packed": torch.tensor(packed_by_hand(codes.tolist()), dtype=torch.uint8),
             "scales": torch.tensor([half(s) for s in scales.reshape(-1).tolist()]).half().reshape(len(weight), -1)}
    right |= {} if bias is None else {"bias": bias}
    steps = (New("layer", "QuantizedLinear", (weight, bias, size)), Do("layer", "stored"))
    shape = f"weight {tuple(weight.shape)}, {'no bias' if bias is None else 'bias'}, group={size}"
    return Case(LAYER, group, steps, right, f"QuantizedLinear({shape}).stored()")


def described(kept: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name} {tuple(x.shape)} {str(x.dtype).removeprefix('torch.')}" for name, x in kept.items())


def judge_stored(right: Mapping[str, Tensor], value: Any) -> Verdict:
    """Whether a layer keeps what it should, and nothing else."""
    if not isinstance(value, dict) or not all(isinstance(one, Tensor) for one in value.values()):
        return Verdict(False, "stored() should return a dict of tensors.", ", ".join(right), show(value))
    asked, listed = described(right), described(value)
    weights_of = right["packed"].numel() * 2 - right["packed"].shape[0]  # at least so many, if rows are odd
    for name, one in value.items():
        if name != "bias" and one.is_floating_point() and one.numel() >= weights_of:
            return Verdict(False, f"The layer keeps {name} as {one.dtype}, one number for each weight: nothing is "
                                  f"saved. Keep "
                           "the packed codes, and make the weights when they are needed.", asked, listed,
                           "stores-float-weights")
        if not one.is_floating_point() and one.numel() >= weights_of:
            return Verdict(False, f"The layer keeps {name} with a whole number for each weight. Two codes fit into a "
                                  f"byte: "
                           "pack_int4.", asked, listed, "codes-not-packed")
    if "bias" in right and "bias" not in value:
        return Verdict(False, "The layer has a bias, but does not keep it.", asked, listed, "bias-dropped")
    if set(value) != set(right):
        return Verdict(False, f"stored() should have the keys {', '.join(right)}.", asked, listed)
    for name, one in right.items():
        said = kit.differs(one, value[name])
        if said:
            few = name == "scales" and value[name].numel() < one.numel()
            words = "There are too few scales: each group of each row has its own. " if few else ""
            return Verdict(False, f"{words}{name}: {said}", show(one), show(value[name]),
                           "scale-per-tensor" if few else "")
        if name != "bias" and value[name].dtype != one.dtype:
            return Verdict(False, f"{name} should be {one.dtype}, not {value[name].dtype}.", asked, listed,
                           "scales-in-float32" if name == "scales" else "codes-in-a-wide-dtype")
    return PASS


def bits_case(right: float, args: tuple, kwargs: Mapping[str, Any] | None = None) -> Case:
    """One call; the right number is worked out by hand in `cases`."""
    names = ("bits", "group", "scale_bits", "zero_bits", "block")
    used = {"zero_bits": 0, "block": 0} | dict(zip(names, args, strict=False)) | dict(kwargs or {})
    bits, group, scale, zero, block = (used[name] for name in names)
    share = (scale + zero) / group
    wrong: Mistakes = {
        "bits-without-scales": (bits, "These are the bits of the code alone. Each group has a scale, and it takes "
                                      "room."),
        "zero-point-not-counted": (bits + (scale + (32 / block if block else 0)) / group if zero else None,
                                   "The zero points are missing."),
        "steps-not-counted": (bits + share if block else None,
                              "The float32 steps of the quantized scales are missing."),
        "step-for-each-group": (bits + (scale + zero + 32) / group if block else None,
                                "A step was counted for each scale; a block of scales shares one."),
        "step-shared-by-weights": (bits + share + 32 / block if block else None,
                                   "The step was shared by `block` weights. It is shared by block scales, that is "
                                   "block * group weights."),
        "scale-for-each-weight": (bits + scale + zero, "A whole scale was counted for each weight; the group shares "
                                                       "it."),
        "scale-bytes-for-bits": (bits + share / 8, "The scale was counted in bytes; count bits."),
    }
    wrong = {name: one for name, one in wrong.items() if one[0] is not None}
    return Case(BITS, COUNTED, (Call("bits_per_weight", args, kwargs or {}),), Want(Right(right, wrong)))


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Judge by what the case expects: a number, a dict of stored tensors, or tensors."""
    if isinstance(case.expect, Want):
        return judge_number(case, outputs, events)
    if isinstance(case.expect, dict):
        value, bad = value_of(outputs[-1])
        return bad or judge_stored(case.expect, value)
    return kit.judge(case, outputs, events)


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(67_000 + seed)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    odd, plain, wide = (weights(generator, *shape, 4, size) for shape, size in (((3, 5), 5), ((4, 8), 4), ((2, 64), 32)))
    return [
        cache_case(EIGHT, generator, (1, 2, 5, 4)), cache_case(FEWER, generator, (2, 1, 4, 6), 4),
        stored_case(STORED, plain, None, 4), stored_case(STORED, odd, noise(3), 5),
        output_case(OUTPUT, plain, None, 4, noise(3, 8)), output_case(OUTPUT, wide, None, 32, noise(2, 3, 64)),
        Case(LAYER, STORED, (New("layer", "QuantizedLinear", (noise(2, 12), None, 5)),), Refuse("5")),
        output_case(BIAS, plain, noise(4), 4, noise(2, 8)), output_case(BIAS, odd, noise(3), 5, noise(2, 5)),
        output_case(BIAS, plain, noise(4).bfloat16(), 4, noise(2, 8).bfloat16()),
        bits_case(4.125, (4, 128, 16)), bits_case(8.5, (8, 32, 16)), bits_case(4.5, (4, 32, 12, 4)),
        bits_case(4 + 8 / 64 + 32 / (64 * 256), (4, 64, 8), {"block": 256}),
        bits_case(3 + (6 + 4 + 32 / 16) / 32, (3, 32, 6, 4, 16)),
    ]
