"""Times every repeat with the host's clock, and does not wait.

task: gpu_timing.samples_ms
says: times-the-launch
"""


def samples_ms(device, work, *, warmup=3, repeats=20, flush=True):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup {warmup} must be 0 or more, repeats {repeats} 1 or more")
    for _ in range(warmup):
        device.run(work)
    times = []
    for _ in range(repeats):
        if flush:
            device.flush()
        start = device.now()
        device.run(work)
        times.append((device.now() - start) * 1e3)
    return times
