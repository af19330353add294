"""Asks until the device answers: busy waiting instead of synchronize.

task: gpu_timing.event_ms
says: elapsed-before-completion
"""


def event_ms(device, work):
    start = device.record()
    device.run(work)
    end = device.record()
    for _ in range(200):
        try:
            return device.elapsed(start, end)
        except (ValueError, RuntimeError):
            device.record()
