"""Waits for earlier work before the first event, and again at the end.

task: gpu_timing.event_ms
"""


def event_ms(device, work):
    device.synchronize()
    start = device.record()
    device.run(work)
    end = device.record()
    device.synchronize()
    return device.elapsed(start=start, end=end)
