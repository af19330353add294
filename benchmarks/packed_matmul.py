"""How fast torch multiplies with packed weights on this CPU, against the same product in float32.

    python -m benchmarks.packed_matmul

Writes results/packed_matmul.json. One weight matrix of 4096 x 4096, one thread. In every round each kernel is timed
once, in turn, so that all meet the same machine; the ratio is that of a round, and median and quartiles of the rounds
are kept. Preparing the weights is not timed; turning inputs into codes is, where a kernel needs it (_int_mm).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.record import write

COMMAND = "python -m benchmarks.packed_matmul"
SIZE, GROUP, ROUNDS = 4096, 32, 25
ROWS = (1, 16, 128)


def kernels(w: Tensor, rows: int) -> dict[str, Callable[[], Tensor]]:
    """Name -> a product of `rows` inputs with w."""
    x = torch.randn(rows, SIZE, generator=torch.Generator().manual_seed(rows))
    half, low = x.bfloat16(), w.bfloat16()
    scale = w.abs().amax(1, keepdim=True) / 127
    codes = (w / scale).round().to(torch.int8)
    columns = codes.t().contiguous()  # (I, O), for _int_mm

    def int_mm() -> Tensor:
        per_row = x.abs().amax(1, keepdim=True) / 127
        sums = torch._int_mm((x / per_row).round().to(torch.int8), columns)
        return sums.float() * per_row * scale.t()

    made = {
        "fp32": lambda: F.linear(x, w),
        "bf16": lambda: F.linear(half, low),
        "int8pack_bf16": lambda: torch.ops.aten._weight_int8pack_mm(half, codes, scale[:, 0].bfloat16()),
        "int8pack_fp32": lambda: torch.ops.aten._weight_int8pack_mm(x, codes, scale[:, 0]),
        "int_mm": int_mm,
        "dequantize": lambda: F.linear(x, codes.float() * scale),
    }
    packed, both = int4(w)
    made["int4pack_bf16"] = lambda: torch.ops.aten._weight_int4pack_mm_for_cpu(half, packed, GROUP, both)
    return made


def int4(w: Tensor) -> tuple[Tensor, Tensor]:
    """Codes 0..15 packed for torch's kernel, and a scale with a zero for each group: w is near (code - 8) * scale."""
    groups = w.view(len(w), -1, GROUP)
    scale = groups.abs().amax(2, keepdim=True) / 7
    codes = ((groups / scale).round() + 8).clamp(0, 15).to(torch.int32).view_as(w)
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes, 1)
    both = torch.stack([scale[..., 0], torch.zeros_like(scale[..., 0])], -1)  # (O, groups, 2)
    return packed, both.transpose(0, 1).contiguous().bfloat16()


def spent(run: Callable[[], Tensor], repeats: int) -> float:
    begun = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - begun) / repeats


@torch.inference_mode()
def main() -> None:
    torch.set_num_threads(1)
    w = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(0)) / SIZE**0.5
    values: dict[str, float | int | str] = {"size": SIZE, "group": GROUP, "rounds": ROUNDS}
    for rows in ROWS:
        made = kernels(w, rows)
        exact = made["fp32"]()
        repeats = {name: max(1, round(0.02 / spent(run, 1))) for name, run in made.items() if run() is not None}
        times: dict[str, list[float]] = {name: [] for name in made}
        for _ in range(ROUNDS):
            for name, run in made.items():
                times[name].append(spent(run, repeats[name]))
        for name, run in made.items():
            if name == "fp32":
                continue
            ratios = [a / b for a, b in zip(times["fp32"], times[name], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            off = float((run().float() - exact).square().mean() / exact.square().mean())
            values |= {f"{name}_{rows}": middle, f"{name}_{rows}_low": low, f"{name}_{rows}_high": high}
            if rows == ROWS[0]:
                values[f"{name}_error"] = off
            print(f"{rows:4} rows  {name:14} {middle:6.2f} times fp32 ({low:.2f} to {high:.2f})  error {off:.2g}", flush=True)
    write("packed_matmul", COMMAND, values)


if __name__ == "__main__":
    main()
