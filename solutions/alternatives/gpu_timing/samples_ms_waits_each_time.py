"""Waits after every repeat: slower, and the launches are hidden behind the flush.

task: gpu_timing.samples_ms
"""


def samples_ms(device, work, *, warmup=3, repeats=20, flush=True):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup {warmup} or repeats {repeats} is too small")
    for _ in range(warmup):
        device.run(work)
        device.synchronize()
    times = []
    for _ in range(repeats):
        if flush:
            device.flush()
        start = device.record()
        device.run(work)
        end = device.record()
        device.synchronize()
        times.append(device.elapsed(start, end))
    return times
