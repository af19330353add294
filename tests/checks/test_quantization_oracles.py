"""The oracles of quantization's checks against gguf, torch and scipy; none of these shares code with them."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from gguf import quants

from llmlab.checks.quantization import blocks, floats, grids, kit, kquant, layers, nibbles, tables
from llmlab.checks.quantization.kit import differs


def draw(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator) * (0.01 + torch.rand(*shape[:-1], 1, generator=generator))


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_the_symmetric_grid_is_torchs(bits):
    x, most = draw(bits, 6, 16), 2 ** (bits - 1) - 1
    codes, scales = grids.symmetric_by_hand(x, bits, "channel")
    theirs = torch.fake_quantize_per_channel_affine(x, scales[:, 0], torch.zeros(6, dtype=torch.int32), 0, -most,
                                                    most)
    assert torch.allclose(codes * scales, theirs, rtol=1e-6)
    assert codes.abs().amax(1).eq(most).all()


@pytest.mark.parametrize("lift", [0.0, 0.3, 3.0, -3.0])
def test_the_affine_grid_is_torchs(lift):
    """The observer lets 0 lie on the grid, too; torch adds the zero point before it rounds, the same but for ties."""
    x = draw(5, 4, 16) + lift
    observer = torch.ao.quantization.PerChannelMinMaxObserver(
        dtype=torch.quint8, qscheme=torch.per_channel_affine, quant_min=0, quant_max=15)
    observer(x)
    steps, points = observer.calculate_qparams()
    codes, scales, zeros = grids.affine_by_hand(x, 4, "channel")
    assert torch.allclose(scales[:, 0].double(), steps.double(), rtol=1e-5)
    assert torch.equal(zeros[:, 0].int(), points.int())
    theirs = torch.fake_quantize_per_channel_affine(x, steps, points, 0, 0, 15)
    back = torch.stack([(row.int() - z.int()) * s for row, s, z in zip(codes, scales, zeros, strict=True)])
    assert torch.allclose(back, theirs, atol=1e-6)


def test_every_byte_of_two_nibbles():
    """All 256 bytes; numpy reads the sign by shifting it up and back."""
    every = np.arange(256, dtype=np.uint8)
    low, high = (every << 4).view(np.int8) >> 4, every.view(np.int8) >> 4
    codes = nibbles.unpacked_by_hand([every.tolist()], 512)[0]
    assert codes == np.stack([low, high], 1).reshape(-1).tolist()
    assert nibbles.packed_by_hand([codes]) == [every.tolist()]


@pytest.mark.parametrize(("form", "whole", "kind", "step"), [
    (floats.HALF, torch.int16, torch.float16, 7), (floats.BRAIN, torch.int16, torch.bfloat16, 7),
    (floats.E5M2, torch.uint8, torch.float8_e5m2, 1), (floats.E4M3, torch.uint8, torch.float8_e4m3fn, 1)])
def test_bit_patterns_are_torchs(form, whole, kind, step):
    """All codes of 8 bits; every 7th of 16 (every one of them: the test of the solution below)."""
    codes = torch.arange(0, 2 ** (1 + form[0] + form[1]), step)
    ours = torch.tensor([floats.number(code, *form) for code in codes.tolist()])
    theirs = codes.to(whole).view(kind).float()
    assert torch.equal(ours.isnan(), theirs.isnan()) and torch.equal(ours[~ours.isnan()], theirs[~theirs.isnan()])


@pytest.mark.parametrize(("form", "kind"), [(floats.E4M3, torch.float8_e4m3fn), (floats.E5M2, torch.float8_e5m2)])
def test_rounding_to_8_bits_is_torchs(form, kind):
    """Within the range; every number of the format, every middle between two, and numbers beside it."""
    listed = sorted(value for value, _ in floats.all_numbers(*form))
    middles = [(a + b) / 2 for a, b in zip(listed[:-1], listed[1:], strict=True)]
    x = torch.tensor(listed + middles + [m * 1.001 for m in middles] + [-m * 0.999 for m in middles])
    assert listed[-1] == torch.finfo(kind).max
    assert torch.equal(torch.tensor([floats.rounded(v, form) for v in x.tolist()]), x.to(kind).float())
    assert floats.rounded(1e9, form) == listed[-1] and floats.rounded(-float("inf"), form) == -listed[-1]


def test_the_published_table_is_made_of_scipys_quantiles():
    """With p rounded to seven digits, as bitsandbytes has it, to 1.1e-7; with the formula of the contract to 2e-7."""
    from scipy.stats import norm

    for p, allowed in ((0.9677083, 1.2e-7), (1 - (1 / 30 + 1 / 32) / 2, 2e-7)):
        above, below = norm.ppf(np.linspace(p, 0.5, 9)[:-1]), -norm.ppf(np.linspace(p, 0.5, 8)[:-1])
        table = np.sort(np.concatenate([above, [0.0], below])) / above.max()
        assert np.abs(table - np.array(tables.PUBLISHED)).max() < allowed


@pytest.mark.parametrize(("kind", "oracle"), [(Kind.Q8_0, blocks.q8_by_hand), (Kind.Q4_0, blocks.q4_by_hand)])
def test_blocks_are_ggufs_to_the_byte(kind, oracle):
    """Also ties, zeros, two numbers of the largest size, numbers that float16 cannot hold exactly."""
    x = draw(11, 60, 32)
    x[3], x[4], x[5, :] = 0, torch.arange(32) - 15.5, 1.0
    x[6, 3], x[6, 9] = -5.0, 5.0
    x[7], x[8] = x[7] * 1e-4, x[8] * 1e3
    assert np.array_equal(oracle(x).numpy(), quants.quantize(x.numpy(), kind).reshape(60, -1))


def test_q4_k_blocks_are_read_as_gguf_reads_them():
    generator = torch.Generator().manual_seed(12)
    raw = torch.randint(0, 256, (40, 144), generator=generator, dtype=torch.int64)
    raw[:, [1, 3]] %= 0x3C
    ours = torch.tensor([kquant.read(row) for row in raw.tolist()])
    theirs = quants.dequantize(raw.to(torch.uint8).numpy(), Kind.Q4_K)
    assert np.array_equal(ours.numpy(), theirs.reshape(40, 256))


@pytest.mark.parametrize("lift", [0.0, 1.0, -1.0, 9.0])
def test_what_the_rule_writes_gguf_decodes_near_the_numbers(lift):
    """A code is off by half a step; scale and minimum by half of theirs."""
    for seed in range(3):
        x = kquant.numbers(torch.Generator().manual_seed(seed), lift)
        block = kquant.block_of(x.tolist())
        raw = kquant.table([kquant.write(block)])
        theirs = torch.from_numpy(quants.dequantize(raw.numpy(), Kind.Q4_K)).reshape(8, 32)
        assert theirs.reshape(-1).tolist() == kquant.read(raw[0].tolist())
        steps = (x.reshape(8, 32).amax(1) - x.reshape(8, 32).amin(1).clamp(max=0)) / 15
        allowed = steps / 2 + 15 * block.d / 2 + block.dmin / 2
        assert ((theirs - x.reshape(8, 32)).abs().amax(1) <= allowed * 1.01).all()


def test_block_sizes_are_ggufs():
    from gguf import GGML_QUANT_SIZES

    for kind, made in ((Kind.Q8_0, blocks.q8_by_hand(draw(1, 1, 32))),
                       (Kind.Q4_0, blocks.q4_by_hand(draw(1, 1, 32)))):
        assert GGML_QUANT_SIZES[kind] == (32, made.shape[1])
    assert GGML_QUANT_SIZES[Kind.Q4_K] == (256, 144)
    for kind, bits in ((Kind.Q8_0, layers.bits_case(8.5, (8, 32, 16))),
                       (Kind.Q4_K, layers.bits_case(4.5, (4, 32, 12, 4)))):
        numbers, size = GGML_QUANT_SIZES[kind]
        assert bits.expect.right.value == 8 * size / numbers


def test_the_mistakes_can_be_told_apart():
    """A wrong rule that gives the right answer in every case would never be named."""
    for part in (grids, nibbles, floats, tables, blocks, kquant, layers):
        seen: set[tuple[str, str]] = set()
        named: set[tuple[str, str]] = set()
        for case in part.cases(0):
            if not isinstance(case.expect, kit.Parts):
                continue
            right = list(case.expect.right.values())
            for name, rule, _ in case.expect.wrong:
                named.add((case.task, name))
                made = rule()
                if any(differs(a, b, case.expect.whole) for a, b in zip(right, made, strict=True)):
                    seen.add((case.task, name))
        assert named == seen, sorted(named - seen)


def test_examples():
    for part in (kit, grids, nibbles, floats, tables, blocks, kquant, layers):
        assert doctest.testmod(part).failed == 0
