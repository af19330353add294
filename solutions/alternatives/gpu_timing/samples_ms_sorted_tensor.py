"""Flushes and waits before each first event; returns a sorted tensor.

task: gpu_timing.samples_ms
"""

import torch


def samples_ms(device, work, *, warmup=3, repeats=20, flush=True):
    if warmup < 0:
        raise ValueError(f"warmup is {warmup}")
    if repeats <= 0:
        raise ValueError(f"repeats is {repeats}")
    for _ in range(warmup):
        device.run(work)
    marks = []
    for _ in range(repeats):
        if flush:
            device.flush()
            device.synchronize()
        start = device.record()
        device.run(work)
        marks.append([start, device.record()])
    device.synchronize()
    return torch.tensor([device.elapsed(*pair) for pair in marks], dtype=torch.float64).sort().values
