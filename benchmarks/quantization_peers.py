"""Our grids beside two libraries of the field, bitsandbytes and torchao, on the same random weights: do the codes agree?

    pip install --no-deps --target PEERS torchao==0.18.0 bitsandbytes==0.50.2
    python -m benchmarks.quantization_peers PEERS

The libraries are no dependency of the course: they are looked at in a folder of their own. Compared are codes and scales.
Where a library has another convention (torchao puts half a step more on each side), the convention is measured too.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import torch

from benchmarks import record

ROWS, COLUMNS, SEEDS = 64, 512, 5
PEER = importlib.import_module
"""Modules of PEERS are found when they are asked for: this file can be read without them."""
SOLUTION = Path(__file__).resolve().parents[1] / "solutions" / "quantization.py"


def ours() -> ModuleType:
    """The course's solution."""
    spec = importlib.util.spec_from_file_location("solved_quantization", SOLUTION)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def weights(seed: int) -> torch.Tensor:
    """(ROWS, COLUMNS) float32, each row with a width of its own."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(ROWS, COLUMNS, generator=generator) * (0.01 + torch.rand(ROWS, 1, generator=generator))


def quantized(weight: torch.Tensor, config: object) -> torch.Tensor:
    """What torchao makes of a Linear with this weight."""
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = torch.nn.Parameter(weight.clone(), requires_grad=False)
    PEER("torchao.quantization").quantize_(layer, config)
    return layer.weight


def nibbles(packed: torch.Tensor) -> torch.Tensor:
    """The codes in bytes of bitsandbytes: the first of two in the high half."""
    return torch.stack([packed.flatten() >> 4, packed.flatten() & 15], 1).flatten()


def convention(w: torch.Tensor, theirs: torch.Tensor, bits: int) -> tuple[float, float]:
    """Steps from 0 to the largest weight of a row (ours: 2^(bits-1) - 1), and codes that plain rounding at their scale gives
    otherwise; the largest weights lie between two codes by construction and are left out."""
    scale, most = theirs.scale.float().reshape(-1, 1), 2 ** (bits - 1)
    codes = (w / scale).round().clamp(-most, most - 1)
    inner = w.abs() < w.abs().amax(1, keepdim=True)
    return float((w.abs().amax(1) / scale[:, 0]).median()), float((theirs.qdata != codes)[inner].sum())


def compare(q: ModuleType, seed: int) -> dict[str, float]:
    """Codes that differ, and the largest relative difference of the scales, for one draw of weights."""
    ao, w, found = PEER("torchao.quantization"), weights(seed), {}
    codes, _ = q.symmetric(w, 8, "channel")
    theirs = quantized(w, ao.Int8WeightOnlyConfig())
    found["int8_apart"] = float((theirs.qdata.int() - codes.int()).abs().max())
    found["int8_steps"], found["int8_differ"] = convention(w, theirs, 8)
    groups = PEER("torchao.quantization.granularity").PerGroup(32)
    theirs = quantized(w.reshape(-1, 32), ao.IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=groups))
    found["int4_steps"], found["int4_differ"] = convention(w.reshape(-1, 32), theirs, 4)

    theirs = quantized(w, ao.Float8WeightOnlyConfig())
    scale = theirs.scale.float().reshape(-1, 1)
    back = q.round_float(w / scale, 4, 3, 448.0)
    found["float8_differ"] = float((theirs.qdata.float() != back).sum())

    packed, state = PEER("bitsandbytes.functional").quantize_4bit(w, blocksize=64, quant_type="nf4")
    codes, scales = q.table_codes(w, q.nf4_table(), 64)
    found["nf4_differ"] = float((nibbles(packed) != codes.flatten()).sum())
    found["nf4_scales"] = float((state.absmax.reshape(-1) / scales.reshape(-1) - 1).abs().max())
    found["nf4_table"] = float((state.code.reshape(-1)[:16] - q.nf4_table()).abs().max())
    return found


def main(folder: str) -> None:
    sys.path.append(folder)
    q, rounds = ours(), []
    for seed in range(SEEDS):
        rounds.append(compare(q, seed))
        print(f"seed {seed}: " + ", ".join(f"{key} {value:g}" for key, value in rounds[-1].items()))
    worst: dict[str, float | int | str] = {key: max(one[key] for one in rounds) for key in rounds[0]}
    worst |= {"codes": ROWS * COLUMNS, "draws": SEEDS} | {
        name: importlib.metadata.version(name) for name in ("torchao", "bitsandbytes")}
    record.write("quantization_peers", "python -m benchmarks.quantization_peers PEERS", worst)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
