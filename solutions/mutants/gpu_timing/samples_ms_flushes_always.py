"""Does not look at `flush`.

task: gpu_timing.samples_ms
says: flushes-unasked
"""


def samples_ms(device, work, *, warmup=3, repeats=20, flush=True):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup {warmup} must be 0 or more, repeats {repeats} 1 or more")
    for _ in range(warmup):
        device.run(work)
    marks = []
    for _ in range(repeats):
        device.flush()
        start = device.record()
        device.run(work)
        marks.append((start, device.record()))
    device.synchronize()
    return [device.elapsed(start, end) for start, end in marks]
