"""Records both events after the work.

task: gpu_timing.event_ms
says: interval-misses-the-work
"""


def event_ms(device, work):
    device.run(work)
    start, end = device.record(), device.record()
    device.synchronize()
    return device.elapsed(start, end)
