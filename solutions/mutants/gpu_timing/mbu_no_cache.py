"""Leaves the cache out.

task: gpu_timing.mbu
says: forgets-the-cache
"""


def mbu(param_bytes, kv_bytes, ms, peak_gb_per_s):
    if not 0 < ms < float("inf"):
        raise ValueError(f"ms must be a finite number above 0, got {ms}")
    return param_bytes / (ms / 1e3) / (peak_gb_per_s * 1e9)
