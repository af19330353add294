"""Replays with everything in L2.

task: gpu_timing.graph_samples_ms
says: forgets-the-flush
"""


def graph_samples_ms(device, works, *, warmup=3, repeats=20):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup {warmup} must be 0 or more, repeats {repeats} 1 or more")
    for work in works:
        device.run(work)
    graph = device.capture(list(works))
    for _ in range(warmup):
        device.replay(graph)
    marks = []
    for _ in range(repeats):
        start = device.record()
        device.replay(graph)
        marks.append((start, device.record()))
    device.synchronize()
    return [device.elapsed(start, end) for start, end in marks]
