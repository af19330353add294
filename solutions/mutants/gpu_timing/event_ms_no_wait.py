"""Reads the time before the device has reached the second event.

task: gpu_timing.event_ms
says: elapsed-before-completion
"""


def event_ms(device, work):
    start = device.record()
    device.run(work)
    end = device.record()
    return device.elapsed(start, end)
