"""Flushes after each repeat, so that the first one is warm.

task: gpu_timing.samples_ms
says: first-repeat-warm
"""


def samples_ms(device, work, *, warmup=3, repeats=20, flush=True):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup {warmup} must be 0 or more, repeats {repeats} 1 or more")
    for _ in range(warmup):
        device.run(work)
    marks = []
    for _ in range(repeats):
        start = device.record()
        device.run(work)
        marks.append((start, device.record()))
        if flush:
            device.flush()
    device.synchronize()
    return [device.elapsed(start, end) for start, end in marks]
