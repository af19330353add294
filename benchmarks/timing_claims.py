"""What two lecture tables say about utilisation, recomputed. Writes results/timing.json.

    python -m benchmarks.timing_claims

Arithmetic, no measurement: lower bounds of a step's time from data sheets, put through `mfu` and `mbu` of the
course's own timer. The step of a batch takes at least the longer of two times: reading weights and caches, and
computing.
"""

from __future__ import annotations

from pathlib import Path

import llmlab
from benchmarks.record import write

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from llmlab.gpu_timing import mbu, mfu  # noqa: E402  (after the choice of the code)

COMMAND = "python -m benchmarks.timing_claims"
PARAMS = 6_738_415_616
"""Llama-2-7B."""
CACHE_PER_TOKEN = 2 * 32 * 4096 * 2
"""Bytes: keys and values, 32 layers of width 4,096, 2 bytes each; as many key heads as query heads."""
TFLOP, GB = 989.0, 3350.0
"""H100 SXM, dense bf16."""
CONTEXT = 2048


def step_ms(batch: int, context: int) -> float:
    """The least time of a decoding step."""
    moved = 2 * PARAMS + batch * context * CACHE_PER_TOKEN
    return max(moved / (GB * 1e9), 2 * PARAMS * batch / (TFLOP * 1e12)) * 1e3


def share(batch: int, context: int) -> float:
    """MFU of that step."""
    return mfu(PARAMS, batch, step_ms(batch, context), TFLOP)


def batch_for(target: float) -> int:
    """The smallest batch whose step reaches this MFU if caches cost nothing."""
    return next(batch for batch in range(1, 10_000) if share(batch, 0) >= target)


def main() -> None:
    bandwidth = mbu(2 * PARAMS, CONTEXT * CACHE_PER_TOKEN, step_ms(1, CONTEXT), GB)
    write("timing", COMMAND, {
        "ledger_3_09_mfu_1": share(1, 0), "ledger_3_09_batch_5": batch_for(0.05),
        "ledger_3_09_batch_30": batch_for(0.30),
        "ledger_3_09_context": CONTEXT, "ledger_3_09_mfu_16": share(16, CONTEXT),
        "ledger_3_09_mfu_64": share(64, CONTEXT),
        "ledger_3_09_mfu_limit": share(10**9, CONTEXT),
        "ledger_3_08_mfu": share(1, CONTEXT), "ledger_3_08_mbu": bandwidth})


if __name__ == "__main__":
    main()
