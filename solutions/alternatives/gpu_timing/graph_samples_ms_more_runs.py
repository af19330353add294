"""Runs the step three times before the capture.

task: gpu_timing.graph_samples_ms
"""


def graph_samples_ms(device, works, *, warmup=3, repeats=20):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup {warmup} or repeats {repeats} is too small")
    for _ in range(3):
        for work in works:
            device.run(work)
    graph = device.capture(works=tuple(works))
    times = []
    for _ in range(warmup):
        device.replay(graph)
    for _ in range(repeats):
        device.flush()
        start = device.record()
        device.replay(graph)
        end = device.record()
        device.synchronize()
        times.append(device.elapsed(start, end))
    return times
