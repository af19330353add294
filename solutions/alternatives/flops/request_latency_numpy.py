"""Differences of an array.

task: flops.request_latency
"""

import numpy as np


def request_latency(start, arrivals):
    if len(arrivals) == 0:
        raise ValueError(f"no tokens: {arrivals}")
    gaps = np.diff([start, *arrivals])
    if gaps.min() < 0:
        raise ValueError(f"out of order: {arrivals[int(gaps.argmin())]}")
    later = gaps[1:]
    return {"ttft": float(gaps[0]), "itl": later.tolist(), "tpot": float(later.mean()) if later.size else None,
            "total": float(gaps.sum())}
