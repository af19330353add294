"""numpy's percentile.

task: gpu_timing.summarise
"""

import numpy as np


def summarise(samples):
    values = np.asarray(samples, dtype=float)
    if values.size == 0:
        raise ValueError("no samples: []")
    bad = values[~(np.isfinite(values) & (values > 0))]
    if bad.size:
        raise ValueError(f"a time must be finite and above 0, got {float(bad[0])}")
    p10, median, p90 = np.percentile(values, [10, 50, 90])
    return {"p10": p10.item(), "median": median.item(), "p90": p90.item(), "spread": ((p90 - p10) / median).item()}
