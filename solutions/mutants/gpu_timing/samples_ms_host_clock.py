"""Times every repeat with the host's clock, and waits for it.

task: gpu_timing.samples_ms
says: host-clock-for-events
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
        device.synchronize()
        start = device.now()
        device.run(work)
        device.synchronize()
        times.append((device.now() - start) * 1e3)
    return times
