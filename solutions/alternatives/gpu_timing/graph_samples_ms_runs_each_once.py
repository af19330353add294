"""Runs a work that comes twice only once, and waits before the capture.

task: gpu_timing.graph_samples_ms
"""


def graph_samples_ms(device, works, *, warmup=3, repeats=20):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup {warmup} or repeats {repeats} is too small")
    for work in set(works):
        device.run(work)
    device.synchronize()
    graph = device.capture(works)
    for _ in range(warmup):
        device.flush()
        device.replay(graph)
    marks = []
    for _ in range(repeats):
        device.flush()
        start = device.record()
        device.replay(graph)
        marks.append((start, device.record()))
    device.synchronize()
    return [device.elapsed(start, end) for start, end in marks]
