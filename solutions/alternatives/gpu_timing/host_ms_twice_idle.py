"""Waits twice before, and reads the clock in microseconds.

task: gpu_timing.host_ms
"""


def host_ms(device, work):
    device.synchronize()
    device.synchronize()
    start = device.now() * 1e6
    device.run(work)
    device.synchronize()
    return (device.now() * 1e6 - start) / 1000
