"""Waits, but only after the clock was read.

task: gpu_timing.host_ms
says: times-the-launch
"""


def host_ms(device, work):
    device.synchronize()
    start = device.now()
    device.run(work)
    end = device.now()
    device.synchronize()
    return (end - start) * 1e3
