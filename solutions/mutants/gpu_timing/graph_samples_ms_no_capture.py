"""Times the launches one by one.

task: gpu_timing.graph_samples_ms
says: no-capture
"""


def graph_samples_ms(device, works, *, warmup=3, repeats=20):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup {warmup} must be 0 or more, repeats {repeats} 1 or more")
    for work in works:
        device.run(work)
    for _ in range(warmup):
        for work in works:
            device.run(work)
    marks = []
    for _ in range(repeats):
        device.flush()
        start = device.record()
        for work in works:
            device.run(work)
        marks.append((start, device.record()))
    device.synchronize()
    return [device.elapsed(start, end) for start, end in marks]
