"""One pair of events around the whole loop, divided by the repeats.

task: gpu_timing.samples_ms
says: one-interval-for-all
"""


def samples_ms(device, work, *, warmup=3, repeats=20, flush=True):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup {warmup} must be 0 or more, repeats {repeats} 1 or more")
    for _ in range(warmup):
        device.run(work)
    start = device.record()
    for _ in range(repeats):
        if flush:
            device.flush()
        device.run(work)
    end = device.record()
    device.synchronize()
    return [device.elapsed(start, end) / repeats] * repeats
