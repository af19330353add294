"""Stops the clock when the launch returns.

task: gpu_timing.host_ms
says: times-the-launch
"""


def host_ms(device, work):
    device.synchronize()
    start = device.now()
    device.run(work)
    return (device.now() - start) * 1e3
