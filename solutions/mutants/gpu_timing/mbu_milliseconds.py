"""Divides by milliseconds.

task: gpu_timing.mbu
says: milliseconds-for-seconds
"""


def mbu(param_bytes, kv_bytes, ms, peak_gb_per_s):
    if not 0 < ms < float("inf"):
        raise ValueError(f"ms must be a finite number above 0, got {ms}")
    return (param_bytes + kv_bytes) / ms / (peak_gb_per_s * 1e9)
