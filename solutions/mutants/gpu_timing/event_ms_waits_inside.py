"""Waits before it records the second event.

task: gpu_timing.event_ms
says: synchronises-inside
"""


def event_ms(device, work):
    start = device.record()
    device.run(work)
    device.synchronize()
    end = device.record()
    device.synchronize()
    return device.elapsed(start, end)
