"""Times the warm-up too and returns the first times.

task: gpu_timing.samples_ms
says: counts-the-warm-up
"""


def samples_ms(device, work, *, warmup=3, repeats=20, flush=True):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup {warmup} must be 0 or more, repeats {repeats} 1 or more")
    marks = []
    for _ in range(warmup + repeats):
        if flush:
            device.flush()
        start = device.record()
        device.run(work)
        marks.append((start, device.record()))
    device.synchronize()
    return [device.elapsed(start, end) for start, end in marks][:repeats]
