"""What the solution of quantization must keep for all inputs: bounds, idempotence, order, independence of groups."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from gguf import quants
from hypothesis import given, settings
from hypothesis import strategies as st

PATH = Path(__file__).resolve().parents[2] / "solutions" / "quantization.py"
_spec = importlib.util.spec_from_file_location("_quantization_solution", PATH)
q = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(q)

FEW = settings(max_examples=40, deadline=None, derandomize=True)
numbers = st.lists(st.floats(-100, 100, width=32, allow_subnormal=False), min_size=12, max_size=12)
bys = st.sampled_from(["tensor", "channel", 2, 3, 6])
EPS = 1e-5


def matrix(values: list[float]) -> torch.Tensor:
    return torch.tensor(values).reshape(2, 6)


def steps_of(scales: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The step of each number."""
    return scales.expand(len(scales), x.numel() // len(scales)).reshape(x.shape)


@FEW
@given(numbers, bys, st.integers(2, 8))
def test_symmetric_errors_are_at_most_half_a_step(values, by, bits):
    x = matrix(values)
    codes, scales = q.symmetric(x, bits, by)
    back = q.dequantize(codes, scales)
    assert ((back - x).abs() <= steps_of(scales, x) * (0.5 + EPS)).all()
    assert torch.equal(q.symmetric(-x, bits, by)[0], -codes), "odd"


@FEW
@given(numbers, bys, st.integers(2, 8))
def test_affine_errors_are_at_most_half_a_step_and_zero_comes_back(values, by, bits):
    x = matrix([0.0, *values[1:]])
    codes, scales, zeros = q.affine(x, bits, by)
    back = q.dequantize(codes, scales, zeros)
    assert ((back - x).abs() <= steps_of(scales, x) * (0.5 + 1e-4)).all() and back[0, 0] == 0
    assert int(codes.max()) < 2**bits


@FEW
@given(numbers, bys, st.integers(2, 8))
def test_quantizing_twice_is_quantizing_once(values, by, bits):
    x = matrix(values)
    codes, scales = q.symmetric(x, bits, by)
    assert torch.equal(q.symmetric(q.dequantize(codes, scales), bits, by)[0], codes)
    table = q.nf4_table()
    found, steps = q.table_codes(x, table, by)
    again = q.table_codes(q.dequantize(table[found.long()], steps), table, by)[0]
    assert torch.equal(again, found) or not x.any()


@FEW
@given(numbers, bys)
def test_codes_keep_the_order_of_a_group(values, by):
    x = matrix(values)
    for codes in (q.symmetric(x, 4, by)[0], q.affine(x, 4, by)[0], q.table_codes(x, q.nf4_table(), by)[0]):
        size = x.numel() if by == "tensor" else 6 if by == "channel" else by
        order = x.reshape(-1, size).argsort(1)
        assert (codes.reshape(-1, size).int().gather(1, order).diff(dim=1) >= 0).all()


@FEW
@given(numbers, st.sampled_from([2, 3, 6]), st.floats(2, 1e4))
def test_an_outlier_touches_its_own_group_only(values, by, factor):
    x = matrix(values)
    loud = x.clone()
    loud[0, 0] = loud[0, 0] * factor + factor
    for before, after in ((q.symmetric(x, 4, by), q.symmetric(loud, 4, by)),
                          (q.affine(x, 4, by), q.affine(loud, 4, by))):
        assert torch.equal(before[0].reshape(-1, by)[1:], after[0].reshape(-1, by)[1:])
        assert torch.equal(before[1][1:], after[1][1:])


@FEW
@given(st.lists(st.integers(-8, 7), min_size=1, max_size=9))
def test_packing_loses_nothing(codes):
    given_ = torch.tensor([codes], dtype=torch.int8)
    packed = q.pack_int4(given_)
    assert packed.shape[1] == math.ceil(len(codes) / 2) and torch.equal(q.unpack_int4(packed, len(codes)), given_)


@FEW
@given(st.lists(st.floats(-500, 500, width=32), min_size=1, max_size=9))
def test_rounding_to_fp8_is_idempotent_and_keeps_the_order(values):
    x = torch.tensor(values).sort().values
    once = q.round_float(x, 4, 3, 448.0)
    assert torch.equal(q.round_float(once, 4, 3, 448.0), once) and (once.diff() >= 0).all()
    assert torch.equal(once, x.clamp(-448, 448).to(torch.float8_e4m3fn).float())


def test_every_pattern_of_16_bits_is_torchs():
    codes = torch.arange(2**16)
    for form, kind in (((5, 10), torch.float16), ((8, 7), torch.bfloat16)):
        ours, theirs = q.decode_float(codes, *form), codes.to(torch.int16).view(kind).float()
        assert torch.equal(ours.isnan(), theirs.isnan()) and torch.equal(ours[~ours.isnan()], theirs[~theirs.isnan()])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.floats(-1000, 1000, width=32), min_size=32, max_size=32))
def test_gguf_blocks_are_ggufs_to_the_byte(values):
    x = torch.tensor([values])
    for ours, kind in ((q.q8_0(x), Kind.Q8_0), (q.q4_0(x), Kind.Q4_0)):
        if float(x.abs().max()) > 1e-30:  # below, 1 / d overflows, and the package divides by it
            assert np.array_equal(ours.numpy(), quants.quantize(x.numpy(), kind).reshape(ours.shape))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.floats(-3, 3), st.floats(0.01, 50))
def test_gguf_decodes_q4_k_to_exactly_what_from_q4_k_gives(seed, lift, size):
    x = (torch.randn(2, 256, generator=torch.Generator().manual_seed(seed)) + lift) * size
    raw = q.q4_k(x)
    assert np.array_equal(q.from_q4_k(raw).numpy(), quants.dequantize(raw.numpy(), Kind.Q4_K).reshape(2, 256))


def test_the_error_of_uniform_rounding_is_step_squared_over_twelve():
    """Closed form, for numbers spread evenly over many steps: within 2 %, 9 standard errors of 200,000 numbers."""
    x = torch.rand(2, 100_000, generator=torch.Generator().manual_seed(1)) * 2 - 1
    x[:, 0] = 1.0
    for bits in (4, 6, 8):
        codes, scales = q.symmetric(x, bits, "channel")
        mean = float((q.dequantize(codes, scales) - x).square().mean())
        assert mean == pytest.approx(float(scales[0]) ** 2 / 12, rel=0.02)


def test_a_bias_is_kept_to_the_last_bit_and_weights_are_not():
    generator = torch.Generator().manual_seed(2)
    weight, bias = torch.randn(16, 64, generator=generator), torch.randn(16, generator=generator)
    layer = q.QuantizedLinear(weight, bias)
    assert torch.equal(layer.forward(torch.zeros(3, 64)), bias.expand(3, 16))
    kept = layer.forward(torch.eye(64)).T - bias[:, None]
    assert 0 < (kept - weight).abs().max() < weight.abs().max() / 7
    size = sum(one.numel() * one.element_size() for one in layer.stored().values())
    assert size == 16 * 64 // 2 + 16 * 64 // 32 * 2 + 16 * 4
    bits = 8 * (size - bias.numel() * 4) / weight.numel()
    assert bits == q.bits_per_weight(4, 32, 16)


def test_torchs_int8_kernel_gives_the_same_product():
    """torch multiplies by packed int8 codes with a scale for each output; those are symmetric's per channel."""
    generator = torch.Generator().manual_seed(3)
    weight, x = torch.randn(32, 64, generator=generator), torch.randn(4, 64, generator=generator).bfloat16()
    codes, scales = q.symmetric(weight, 8, "channel")
    theirs = torch._weight_int8pack_mm(x, codes, scales[:, 0].bfloat16())
    ours = x.float() @ q.dequantize(codes, scales.bfloat16().float()).T
    assert torch.allclose(theirs.float(), ours, rtol=0.02, atol=0.05)


def test_torchs_int4_kernel_gives_the_same_product():
    """It reads (code - 8) * scale + zero, groups first; zero = (8 - zero point) * scale gives affine's numbers."""
    generator = torch.Generator().manual_seed(3)
    weight, x = torch.randn(64, 128, generator=generator), torch.randn(4, 128, generator=generator).bfloat16()
    codes, scales, zeros = q.affine(weight, 4, 32)
    moved = (8 - zeros.float()) * scales
    pairs = torch.stack([scales.reshape(64, -1).T, moved.reshape(64, -1).T], -1).bfloat16().contiguous()
    theirs = torch._weight_int4pack_mm_for_cpu(x, torch._convert_weight_to_int4pack_for_cpu(codes.int(), 1), 32,
                                               pairs)
    ours = x.float() @ q.dequantize(codes, scales, zeros).T
    assert (theirs.float() - ours).norm() < 0.01 * ours.norm()


def test_nf4_beats_int4_on_normal_numbers_and_not_on_even_ones():
    """By relative error; 4 bits, groups of 64."""
    generator, table = torch.Generator().manual_seed(4), q.nf4_table()

    def errors(x):
        codes, scales = q.symmetric(x, 4, 64)
        found, steps = q.table_codes(x, table, 64)
        pair = q.dequantize(codes, scales), q.dequantize(table[found.long()], steps)
        return [float((one - x).square().mean() / x.square().mean()) for one in pair]

    even = errors(torch.rand(64, 1024, generator=generator) * 2 - 1)
    normal = errors(torch.randn(64, 1024, generator=generator))
    assert normal[1] < normal[0] * 0.85 and even[1] > even[0] * 1.1
