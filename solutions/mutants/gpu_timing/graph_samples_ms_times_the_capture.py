"""Takes the capture for a run, and times it with the first replay.

task: gpu_timing.graph_samples_ms
says: times-the-capture
"""


def graph_samples_ms(device, works, *, warmup=3, repeats=20):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup {warmup} must be 0 or more, repeats {repeats} 1 or more")
    for work in works:
        device.run(work)
    graph, marks = None, []
    for _ in range(warmup + repeats):
        device.flush()
        start = device.record()
        if graph is None:
            graph = device.capture(list(works))
        device.replay(graph)
        marks.append((start, device.record()))
    device.synchronize()
    return [device.elapsed(start, end) for start, end in marks][warmup:]
