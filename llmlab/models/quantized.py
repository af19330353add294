"""A model whose layers are packed: `quantize` by a scheme's name, the size in bits, and a file of just that size.

The grids, tables and blocks are those of the lab module `quantization`, the methods that look at data those of
`calibration`; both come as arguments, so this runs a student's code as well as the book's. Embedding, output matrix and
norms are not quantized. Nothing is measured here: see benchmarks/quantization.py.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from llmlab.models.calibrate import matrices, readers
from llmlab.models.lm import LM
from llmlab.models.packed import BLOCKS, FLOATS, PackedLinear, pack

WEIGHTS = (
    "bf16", *(f"int{bits}_{by}" for bits in (8, 4, 3, 2) for by in ("tensor", "channel", "32")), "e4m3", "e5m2",
    "nf4_32", "nf4_32_double", "nf4_64", "nf4_64_double", *BLOCKS, "gptq4_32", "gptq3_32", "gptq2_32", "gptq4_channel",
    "gptq4_32_order", "awq4_32", "awq3_32",
)
"""Schemes that leave activations alone. int4_32: 4 bits, a scale for each 32 neighbours; nf4_64_double: NF4 with 8-bit
scales; gptq4_32_order: columns by the size of their inputs."""
SCHEMES = (*WEIGHTS, "llm_int8", "smooth_row")
"""All of them; the last two round activations, too, a scale for each row."""


def encode(w: Tensor, scheme: str, code: ModuleType) -> PackedLinear:
    """A matrix (O, I) in a scheme that looks at nothing but the matrix. code: the lab module `quantization`.

    Raises ValueError for another scheme.
    """
    if scheme in BLOCKS:  # they run on from one row to the next where a row is no whole number of them
        return PackedLinear(scheme, w.shape, {"packed": getattr(code, scheme)(w.reshape(1, -1))})
    if scheme == "bf16":
        return PackedLinear(scheme, w.shape, {"packed": w.bfloat16()})
    if scheme in FLOATS:
        exponent, mantissa, largest = (4, 3, 448.0) if scheme == "e4m3" else (5, 2, 57344.0)
        scale = w.abs().max() / largest
        made = code.round_float(w / scale, exponent, mantissa, largest).view_as(w)
        return PackedLinear(scheme, w.shape, {"packed": made.to(FLOATS[scheme]), "scales": scale})
    grid, table = re.fullmatch(r"int(\d)_(\w+)", scheme), re.fullmatch(r"nf4_(\d+)(_double)?", scheme)
    if grid:
        bits, by = int(grid[1]), int(grid[2]) if grid[2].isdigit() else grid[2]
        return on_grid(*code.symmetric(w, bits, by), bits)
    if not table:
        raise ValueError(f"there is no scheme {scheme!r} that looks at a matrix alone; schemes: {', '.join(SCHEMES)}")
    values = code.nf4_table()
    codes, scales = code.table_codes(w, values, int(table[1]))
    kept = {"packed": pack(codes, 4), "scales": scales.float(), "table": values}
    if table[2]:
        block = 256 if scales.numel() % 256 == 0 else scales.numel() // 8
        small, steps, offset = code.double_quantize(scales, block)
        kept |= {"scales": small, "steps": steps.float(), "offset": offset.float()}
    return PackedLinear("table", w.shape, kept, 4)


def on_grid(codes: Tensor, scales: Tensor, bits: int, order: Tensor | None = None) -> PackedLinear:
    """Signed codes (O, I) and their scales, kept in float16. order: the place of each column, if they were moved."""
    kept = {"packed": pack(codes, bits), "scales": scales.half().reshape(-1, 1)}
    return PackedLinear("grid", codes.shape, kept if order is None else kept | {"order": order.to(torch.int16)}, bits)


def codes_of(made: Tensor, bits: int, group: int | None) -> tuple[Tensor, Tensor]:
    """Codes and scales of a matrix whose groups lie on grids already: the coarsest grid that holds a group's numbers.

    >>> codes_of(torch.tensor([[0.5, -1.5, 0.0, 3.0]]), 4, 2)
    (tensor([[ 1, -3,  0,  1]], dtype=torch.int8), tensor([[0.5000],
            [3.0000]]))
    """
    rows = made.double().reshape(-1, group or made.shape[1])
    most = rows.abs().amax(1, keepdim=True)
    scales = torch.where(most == 0, 1.0, most)
    fitted = torch.zeros_like(scales, dtype=torch.bool)
    for code in range(1, 2 ** (bits - 1)):
        each = rows * code / torch.where(most == 0, 1.0, most)
        fits = ((each - each.round()).abs().amax(1, keepdim=True) < 1e-3) & ~fitted
        scales, fitted = torch.where(fits & (most > 0), most / code, scales), fitted | fits
    if not bool(fitted.all()):
        raise ValueError(f"a group's numbers lie on no grid of {bits} bits")
    return (rows / scales).round().to(torch.int8).view(made.shape), scales.float()


def moved(lm: LM, inputs: Mapping[str, Tensor], scales: Callable[[Tensor, Tensor], Tensor],
          calibration: ModuleType) -> dict[str, Tensor]:
    """Every norm gain and matrix of the layers after scales(x, w) was folded wherever it can be; the same function."""
    state = {name: tensor.detach() for name, tensor in lm.model.state_dict().items()}
    for before, names in readers(lm).items():
        joined = torch.cat([state[name] for name in names])
        scale = scales(inputs[names[0]], joined)
        state[before], joined = calibration.fold_scales(state[before], joined, scale)
        parts = joined.split([len(state[name]) for name in names])
        state |= dict(zip(names, parts, strict=True))
    return {name: tensor for name, tensor in state.items() if name.startswith("model.layers.")}


def quantize(lm: LM, scheme: str, quantization: ModuleType, calibration: ModuleType | None = None,
             inputs: Mapping[str, Tensor] | None = None) -> LM:
    """A copy of the model with `PackedLinear` for every matrix inside its layers.

    inputs: what `calibrate.inputs` gives, for schemes that look at data. Raises ValueError, naming the scheme, if
    there is none of that name, or if it needs inputs that are not given.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"there is no scheme {scheme!r}; schemes: {', '.join(SCHEMES)}")
    looks = scheme.startswith(("gptq", "awq", "smooth"))
    if looks and (inputs is None or calibration is None) or scheme == "llm_int8" and calibration is None:
        raise ValueError(f"{scheme} looks at data: give the module calibration and the inputs of the matrices")
    state, product = dict(matrices(lm)), None
    if scheme.startswith("gptq"):
        bits, group = int(scheme[4]), None if scheme.endswith("channel") else 32
        return replaced(lm, {name: _gptq(w, inputs[name], bits, group, scheme.endswith("order"), calibration)
                             for name, w in state.items()})
    if scheme.startswith("awq"):
        bits = int(scheme[3])
        state = moved(lm, inputs, lambda x, w: calibration.awq_scales(x, w, bits, 32)[1], calibration)
        scheme = f"int{bits}_32"
    elif scheme == "smooth_row":
        state, product = moved(lm, inputs, calibration.smoothquant_scales, calibration), by_integers
        scheme = "int8_channel"
    elif scheme == "llm_int8":
        product, scheme = calibration.llm_int8, "int8_channel"
    names = matrices(lm)
    packed = {name: encode(state[name], scheme, quantization) for name in names}
    for layer in packed.values():
        layer.product = product
    return replaced(lm, packed, {name: tensor for name, tensor in state.items() if name not in names})


def by_integers(x: Tensor, w: Tensor) -> Tensor:
    """x w^T in 8-bit integers, a scale for each row of both: torch._int_mm, exact in between."""
    codes, scales = [], []
    for rows in (x, w):
        scale = rows.abs().amax(1, keepdim=True) / 127
        scale = torch.where(scale == 0, 1.0, scale)
        codes.append((rows / scale).round().to(torch.int8))
        scales.append(scale)
    return torch._int_mm(codes[0], codes[1].T.contiguous()) * scales[0] * scales[1].T


def _gptq(w: Tensor, x: Tensor, bits: int, group: int | None, ordered: bool, calibration: ModuleType) -> PackedLinear:
    hessian = calibration.gptq_hessian(x.double())
    made = calibration.gptq(w.double(), hessian, bits, group, ordered)
    if not ordered:
        return on_grid(*codes_of(made, bits, group), bits)
    order = hessian.diag().argsort(descending=True, stable=True)
    return on_grid(*codes_of(made[:, order], bits, group), bits, order.argsort())


def replaced(lm: LM, packed: Mapping[str, PackedLinear], others: Mapping[str, Tensor] | None = None) -> LM:
    """A copy of the model with these maps ("...q_proj.weight" names) and other tensors in place of its own."""
    other = copy.copy(lm)
    other.model = copy.deepcopy(lm.model)
    state = other.model.state_dict()
    with torch.no_grad():
        for name, tensor in (others or {}).items():
            state[name].copy_(tensor)
    for name, layer in packed.items():
        other.model.set_submodule(name.removesuffix(".weight"), layer)
    return other


def layers_of(lm: LM) -> dict[str, PackedLinear]:
    """Name -> packed map."""
    return {name: module for name, module in lm.model.named_modules() if isinstance(module, PackedLinear)}


def bits_per_weight(lm: LM) -> float:
    """Bits of one weight of the layers, scales counted."""
    layers = layers_of(lm).values()
    sizes = [layer.shape[0] * layer.shape[1] for layer in layers]
    return sum(layer.bits_per_weight() * size for layer, size in zip(layers, sizes, strict=True)) / sum(sizes)


def save(lm: LM, path: Path | str) -> int:
    """Write the model to one safetensors file, and return its bytes.

    What is not packed is written in bfloat16 where that loses nothing, and as it is elsewhere. A tied output matrix is
    written once, and so is a table.
    """
    layers, tensors = layers_of(lm), {}
    for name, tensor in lm.model.state_dict().items():
        table = name.endswith(".table")
        if lm.config.tie_word_embeddings and name == "lm_head.weight" or table and "table" in tensors:
            continue
        packed = name.rpartition(".")[0] in layers
        short = tensor.bfloat16()
        lossless = not packed and torch.equal(short.to(tensor.dtype), tensor)
        tensors["table" if table else name] = (short if lossless else tensor).contiguous()
    form = {name: [layer.kind, *layer.shape, layer.bits] for name, layer in layers.items()}
    save_file(tensors, path, {"layers": json.dumps(form)})
    return Path(path).stat().st_size


def load(path: Path | str, lm: LM) -> LM:
    """The model that `save` wrote; tokenizer, shape and the type of what is not packed are those of `lm`.

    How activations are rounded is no part of the file: `product` of the maps is not set.
    """
    with safe_open(path, framework="pt") as file:
        form = json.loads(file.metadata()["layers"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    packed: dict[str, PackedLinear] = {}
    for name, (kind, rows, columns, bits) in form.items():
        kept = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
        kept |= {"table": tensors["table"]} if kind == "table" else {}
        packed[f"{name}.weight"] = PackedLinear(kind, (rows, columns), kept, bits)
    own = {name: tensor for name, tensor in tensors.items() if name.rpartition(".")[0] not in form and name != "table"}
    return replaced(lm, packed, own)
