"""Forgets that a batch has many tokens.

task: gpu_timing.mfu
says: ignores-tokens
"""


def mfu(params, tokens, ms, peak_tflop_per_s):
    if not 0 < ms < float("inf"):
        raise ValueError(f"ms must be a finite number above 0, got {ms}")
    return 2 * params / (ms / 1e3) / (peak_tflop_per_s * 1e12)
