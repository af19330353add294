"""Asks for the time from the end to the start.

task: gpu_timing.event_ms
says: events-swapped
"""


def event_ms(device, work):
    start = device.record()
    device.run(work)
    end = device.record()
    device.synchronize()
    return device.elapsed(end, start)
