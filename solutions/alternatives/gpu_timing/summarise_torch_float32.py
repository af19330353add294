"""torch's quantile, in single precision.

task: gpu_timing.summarise
"""

import torch


def summarise(samples):
    if len(samples) == 0:
        raise ValueError(f"no samples: {samples}")
    values = torch.tensor(samples)
    for value in samples:
        if not (value > 0 and value < float("inf")):
            raise ValueError(f"time {value}")
    p10, median, p90 = values.quantile(torch.tensor([0.1, 0.5, 0.9]))
    return {"median": median, "p10": p10, "p90": p90, "spread": (p90 - p10) / median}
