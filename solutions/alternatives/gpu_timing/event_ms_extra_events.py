"""Records more events than it reads.

task: gpu_timing.event_ms
"""

import torch


def event_ms(device, work):
    marks = [device.record(), device.record()]
    device.run(work)
    marks += [device.record(), device.record()]
    device.synchronize()
    return torch.tensor(device.elapsed(marks[1], marks[2]), dtype=torch.float64)
