"""The statistics module: inclusive quantiles.

task: gpu_timing.summarise
"""

import math
import statistics


def summarise(samples):
    if not samples:
        raise ValueError("summarise([]) has nothing to summarise")
    for value in samples:
        if not math.isfinite(value) or value <= 0:
            raise ValueError(f"{value} is no time")
    one = list(samples) * 2 if len(samples) == 1 else list(samples)
    deciles = statistics.quantiles(one, n=10, method="inclusive")
    median = statistics.median(samples)
    return {"median": median, "p10": deciles[0], "p90": deciles[8], "spread": (deciles[8] - deciles[0]) / median}
