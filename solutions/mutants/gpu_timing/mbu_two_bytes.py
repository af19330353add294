"""Multiplies bytes by two bytes for each parameter.

task: gpu_timing.mbu
says: two-bytes-again
"""


def mbu(param_bytes, kv_bytes, ms, peak_gb_per_s):
    if not 0 < ms < float("inf"):
        raise ValueError(f"ms must be a finite number above 0, got {ms}")
    return 2 * (param_bytes + kv_bytes) / (ms / 1e3) / (peak_gb_per_s * 1e9)
