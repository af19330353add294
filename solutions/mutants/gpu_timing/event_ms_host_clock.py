"""Uses the host's clock around the launch.

task: gpu_timing.event_ms
says: times-the-launch
"""


def event_ms(device, work):
    start = device.now()
    device.run(work)
    return (device.now() - start) * 1e3
