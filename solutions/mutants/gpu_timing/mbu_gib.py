"""Takes 1 GB for 2**30 bytes.

task: gpu_timing.mbu
says: gib-for-gb
"""


def mbu(param_bytes, kv_bytes, ms, peak_gb_per_s):
    if not 0 < ms < float("inf"):
        raise ValueError(f"ms must be a finite number above 0, got {ms}")
    return (param_bytes + kv_bytes) / (ms / 1e3) / (peak_gb_per_s * 2**30)
