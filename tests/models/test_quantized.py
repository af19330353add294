"""Packed models: what is stored, torch's kernels against weights made anew, files of the size that is told."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import gguf
import numpy as np
import pytest
import torch

from llmlab.models import load, packed, quantized
from llmlab.models.calibrate import inputs, matrices, rows

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"
BITS = {"bf16": 16, "int8_32": 8.5, "int4_32": 4.5, "int3_32": 3.5, "int2_32": 2.5, "q8_0": 8.5, "q4_0": 4.5, "q4_k": 4.5,
        "nf4_32": 5.0, "nf4_64": 4.5, "nf4_64_double": 4 + 8 / 64 + 32 / 64 / 256, "awq4_32": 4.5, "gptq4_32": 4.5,
        "gptq2_32": 2.5}


def solved(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"packed_{name}", SOLUTIONS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


grids, methods = solved("quantization"), solved("calibration")


@pytest.fixture(scope="module")
def lm():
    torch.set_num_threads(1)
    return load("draft")


@pytest.fixture(scope="module")
def ids(lm):
    return rows(lm, 4, 64)


@pytest.fixture(scope="module")
def flows(lm, ids):
    return inputs(lm, ids)


@pytest.fixture(scope="module", params=quantized.SCHEMES)
def made(request, lm, flows):
    lm = load("target") if "64" in request.param else lm  # the draft's rows are no whole groups of 64
    return request.param, lm, quantized.quantize(lm, request.param, grids, methods, flows)


def test_every_scheme_stores_its_bits_and_a_file_gives_the_same_model(made, ids, tmp_path):
    scheme, lm, small = made
    layers = quantized.layers_of(small)
    assert {f"{name}.weight" for name in layers} == set(matrices(lm))
    assert not [name for name in matrices(lm) if name in small.model.state_dict()]  # no second copy
    bits = quantized.bits_per_weight(small)
    if scheme in BITS:
        assert bits == pytest.approx(BITS[scheme], rel=0.02 if "double" in scheme else 1e-9)
    path = tmp_path / "small.safetensors"
    size = quantized.save(small, path)
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
        described = json.loads(file.read(header))
    told = sum(end - start for name, entry in described.items() if name != "__metadata__"
               for start, end in (entry["data_offsets"],))
    assert size == path.stat().st_size == 8 + header + told
    inside = sum(w.numel() for w in matrices(lm).values())
    every = sum(p.numel() for p in lm.model.parameters())
    others = 2 * (every - inside)  # bytes at 16 bits; norms that a scheme moved may keep 32
    norms = sum(p.numel() for name, p in lm.model.named_parameters() if "norm" in name)
    assert 0 <= told - others - bits * inside / 8 <= 2 * norms + 64 + 1
    again = quantized.load(path, lm)
    for name, layer in quantized.layers_of(again).items():
        layer.product = layers[name].product
    assert torch.equal(again.logits(ids[:1]), small.logits(ids[:1]))


def counted(run, name, called):
    def counting(*given):
        called[name] += 1
        return run(*given)

    return counting


@pytest.mark.parametrize("scheme", ["int8_tensor", "int8_channel", "int4_32", "gptq4_32", "awq4_32"])
def test_torchs_kernels_give_what_weights_made_anew_give(lm, ids, flows, scheme, monkeypatch):
    small = quantized.quantize(lm, scheme, grids, methods, flows)
    kernels = {layer.kernel() for layer in quantized.layers_of(small).values()}
    ids = ids[:1, : packed.MOST_ROWS]
    called = {name: 0 for name in ("_eight", "_four")}
    for name in called:
        monkeypatch.setattr(packed, name, counted(getattr(packed, name), name, called))
    fast = small.logits(ids)
    many = dict(called)
    assert sum(many.values()) == len(quantized.layers_of(small)) or not kernels - {""}
    small.logits(ids.repeat(1, 2))
    assert called == many  # many rows are multiplied otherwise
    for layer in quantized.layers_of(small).values():
        layer.kernels, layer._ready = False, None
        assert layer.kernel() == ""
    anew = small.logits(ids)
    assert torch.allclose(fast, anew, atol=2e-3 * float(anew.abs().max()))
    assert kernels == {"int8" if scheme.startswith("int8") else "int4"} or not (
        packed.has_kernel(8, 0) and packed.has_kernel(4, 32))


def test_a_wrong_kernel_is_not_used(monkeypatch):
    packed.has_kernel.cache_clear()
    monkeypatch.setattr(packed, "_eight", lambda x, codes, scales: x @ codes.float().T)
    assert not packed.has_kernel(8, 0)

    def absent(*_):
        raise NotImplementedError

    monkeypatch.setattr(packed, "_four", absent)
    assert not packed.has_kernel(4, 32)
    packed.has_kernel.cache_clear()


@pytest.mark.parametrize("name", packed.BLOCKS)
def test_blocks_are_decoded_as_the_gguf_package_decodes_them(lm, name):
    w = next(iter(matrices(lm).values()))
    layer = quantized.encode(w, name, grids)
    kind = gguf.GGMLQuantizationType[{"q4_k": "Q4_K"}.get(name, name.upper())]
    theirs = gguf.quants.dequantize(layer.packed.numpy(), kind)
    assert np.array_equal(layer.weight().numpy().ravel(), theirs.ravel())


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_codes_of_any_width_come_back(bits):
    codes = torch.randint(-(2 ** (bits - 1)), 2 ** (bits - 1), (7, 13), generator=torch.Generator().manual_seed(bits))
    bytes_ = packed.pack(codes.to(torch.int8), bits)
    assert len(bytes_) == -(-codes.numel() * bits // 8)
    assert torch.equal(packed.unpack(bytes_, bits, codes.numel(), True).view(7, 13).long(), codes)
    if bits == 4:
        assert torch.equal(bytes_[:6], grids.pack_int4(codes[:1, :12].to(torch.int8))[0])


def test_the_packed_weights_are_those_of_the_methods(lm, flows):
    """GPTQ's rounded numbers and int4's, up to the scales' float16."""
    for scheme, order in (("gptq4_32", False), ("gptq4_32_order", True), ("gptq4_channel", False)):
        small = quantized.quantize(lm, scheme, grids, methods, flows)
        for name, w in list(matrices(lm).items())[:7]:
            hessian = methods.gptq_hessian(flows[name].double())
            want = methods.gptq(w.double(), hessian, 4, None if "channel" in scheme else 32, order).float()
            got = quantized.layers_of(small)[name.removesuffix(".weight")].weight()
            assert torch.allclose(got, want, rtol=1e-3, atol=1e-6)


def test_integers_on_both_sides_are_the_product_of_the_rounded_matrices():
    generator = torch.Generator().manual_seed(1)
    x, w = torch.randn(5, 64, generator=generator), torch.randn(32, 64, generator=generator)
    right = methods.round_to_nearest(x, 8) @ methods.round_to_nearest(w, 8).T
    assert torch.allclose(quantized.by_integers(x, w), right, atol=1e-4)


def test_what_cannot_be_done_is_said(lm):
    with pytest.raises(ValueError, match="int5_32"):
        quantized.quantize(lm, "int5_32", grids)
    with pytest.raises(ValueError, match="gptq4_32"):
        quantized.quantize(lm, "gptq4_32", grids)
