"""Treats warm-up and repeats alike, and leaves out the first times.

task: gpu_timing.samples_ms
"""


def samples_ms(device, work, *, warmup=3, repeats=20, flush=True):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup {warmup} or repeats {repeats} is too small")
    starts, ends = [], []
    for _ in range(warmup + repeats):
        if flush:
            device.flush()
        starts.append(device.record())
        device.run(work)
        ends.append(device.record())
    device.synchronize()
    times = [device.elapsed(start, end) for start, end in zip(starts, ends)]
    return tuple(times[warmup:])
