"""Waits after the warm-up instead of after the repeats.

task: gpu_timing.samples_ms
says: elapsed-before-completion
"""


def samples_ms(device, work, *, warmup=3, repeats=20, flush=True):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup {warmup} must be 0 or more, repeats {repeats} 1 or more")
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
        times.append(device.elapsed(start, end))
    return times
