"""Reads time.perf_counter, which knows nothing of a device that is not the CPU.

task: gpu_timing.host_ms
says: no-measurement
"""

import time


def host_ms(device, work):
    device.synchronize()
    start = time.perf_counter()
    device.run(work)
    device.synchronize()
    return (time.perf_counter() - start) * 1e3
