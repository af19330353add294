"""The least time over the measured one.

task: gpu_timing.mbu
"""


def mbu(param_bytes, kv_bytes, ms, peak_gb_per_s):
    if not ms > 0:
        raise ValueError(f"ms is {ms}")
    least_ms = (param_bytes + kv_bytes) / (peak_gb_per_s * 1e6)
    return least_ms / ms
