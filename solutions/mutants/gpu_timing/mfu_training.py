"""Counts 6 FLOPs, as for training (a lecture does).

task: gpu_timing.mfu
says: training-flops
"""


def mfu(params, tokens, ms, peak_tflop_per_s):
    if not 0 < ms < float("inf"):
        raise ValueError(f"ms must be a finite number above 0, got {ms}")
    return 6 * params * tokens / (ms / 1e3) / (peak_tflop_per_s * 1e12)
