"""In fractions.

task: gpu_timing.mfu
"""

from fractions import Fraction


def mfu(params, tokens, ms, peak_tflop_per_s):
    if ms <= 0:
        raise ValueError(f"ms is {ms}")
    return float(Fraction(2 * params * tokens) / (Fraction(ms) * Fraction(peak_tflop_per_s) * 10**9))
