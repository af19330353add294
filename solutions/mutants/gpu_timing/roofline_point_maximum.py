"""Takes the higher of the two limits.

task: gpu_timing.roofline_point
says: peak-for-roof
"""

import math


def roofline_point(flops, nbytes, ms, *, peak_flop_per_s, peak_byte_per_s):
    for value in (flops, nbytes, ms, peak_flop_per_s, peak_byte_per_s):
        if not 0 < value < math.inf:
            raise ValueError(f"a finite number above 0 is needed, got {value}")
    seconds, intensity = ms / 1e3, flops / nbytes
    slope = flops / nbytes * peak_byte_per_s
    roof = max(peak_flop_per_s, slope)
    return {"intensity": intensity, "flop_per_s": flops / seconds, "byte_per_s": nbytes / seconds, "roof": roof,
            "share": flops / seconds / roof, "bound": "memory" if slope < peak_flop_per_s else "compute"}
