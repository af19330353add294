"""Counts with torch on the meta device.

task: gpu_timing.matmul_cost
"""

import torch
from torch.utils.flop_counter import FlopCounterMode


def matmul_cost(m, k, n, itemsize=2):
    if min(m, k, n, itemsize) < 1:
        raise ValueError(f"sizes start at 1, got {min(m, k, n, itemsize)}")
    a, b = torch.empty(m, k, device="meta"), torch.empty(k, n, device="meta")
    with FlopCounterMode(display=False) as counter:
        c = a @ b
    return counter.get_total_flops(), sum(x.numel() for x in (a, b, c)) * itemsize
