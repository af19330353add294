"""Returns what the clock says, in seconds.

task: gpu_timing.host_ms
says: seconds-for-milliseconds
"""


def host_ms(device, work):
    device.synchronize()
    start = device.now()
    device.run(work)
    device.synchronize()
    return device.now() - start
