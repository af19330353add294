"""Starts the clock while earlier work is still in the queue.

task: gpu_timing.host_ms
says: counts-earlier-work
"""


def host_ms(device, work):
    start = device.now()
    device.run(work)
    device.synchronize()
    return (device.now() - start) * 1e3
