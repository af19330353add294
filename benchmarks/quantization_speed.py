"""Times a linear layer with quantized weights against plain ones: results/quantization_speed.json.

    python -m benchmarks.quantization_speed

One thread; 4096 x 4096; CPU seconds; the ways take turns in one process, and the median of their ratios to the bfloat16
layer in the same turn is kept, with the quarter and three-quarter points. Rows: 1 as in decoding, 64 as in a batch.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

import llmlab
from benchmarks.record import write

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from llmlab import quantization as q  # noqa: E402  (after the choice of the code)

COMMAND = "python -m benchmarks.quantization_speed"
SIZE, GROUP, TURNS = 4096, 32, 25
SLOW = {"packed"}


def ways(rows: int) -> dict[str, Callable[[], torch.Tensor]]:
    """Name -> the product of `rows` rows with one weight matrix, kept in different ways."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(SIZE, SIZE, generator=generator)
    x = torch.randn(rows, SIZE, generator=generator)
    narrow, brain = x.bfloat16(), weight.bfloat16()
    codes, scales = q.symmetric(weight, 8, "channel")
    eight = scales[:, 0].bfloat16()
    four, steps, zeros = q.affine(weight, 4, GROUP)
    packed = torch._convert_weight_to_int4pack_for_cpu(four.int(), 1)
    # torch's kernel reads (code - 8) * scale + zero, groups along the first dimension
    moved = (8 - zeros.float()) * steps
    pairs = torch.stack([steps.reshape(SIZE, -1).T, moved.reshape(SIZE, -1).T], -1).bfloat16().contiguous()
    layer = q.QuantizedLinear(weight, None, GROUP)
    turned, (whole, row_scales) = codes.T.contiguous(), q.symmetric(x, 8, "channel")

    def by_integers() -> torch.Tensor:
        return torch._int_mm(whole, turned) * row_scales * scales.T

    made: dict[str, Callable[[], torch.Tensor]] = {
        "float32": lambda: F.linear(x, weight), "bfloat16": lambda: F.linear(narrow, brain),
        "int8": lambda: torch._weight_int8pack_mm(narrow, codes, eight),
        "int8_float32_input": lambda: torch._weight_int8pack_mm(x, codes, scales[:, 0]),
        "int4": lambda: torch._weight_int4pack_mm_for_cpu(narrow, packed, GROUP, pairs),
        "int8_both": by_integers, "packed": lambda: layer.forward(narrow),
    }
    right = F.linear(x, weight)
    for name, run in made.items():
        off = float((run().float() - right).norm() / right.norm())
        assert off < (0.15 if name in ("int4", "packed") else 0.02), (name, off)
    return made


def seconds(run: Callable[[], torch.Tensor], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - start) / times


def main() -> None:
    torch.set_num_threads(1)
    values: dict[str, float | int | str] = {"size": SIZE, "group": GROUP, "turns": TURNS}
    for rows in (1, 64):
        made = ways(rows)
        spent: dict[str, list[float]] = {name: [] for name in made}
        for turn in range(TURNS):
            for name, run in made.items():
                if name not in SLOW or turn < 5:
                    spent[name].append(seconds(run, 1 if name in SLOW or rows > 1 else 4))
        for name, times in spent.items():
            ratios = sorted(base / one for base, one in zip(spent["bfloat16"], times, strict=False))
            low, middle, high = (ratios[len(ratios) // 4], statistics.median(ratios), ratios[3 * len(ratios) // 4])
            values |= {f"rows{rows}_{name}": middle, f"rows{rows}_{name}_low": low, f"rows{rows}_{name}_high": high}
            print(f"{rows:3} rows {name:20} {middle:6.2f}x bfloat16 ({low:.2f}..{high:.2f})")
    write("quantization_speed", COMMAND, values)


if __name__ == "__main__":
    main()
