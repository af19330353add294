"""Bytes per FLOP on the axis.

task: flops.roofline
says: intensity-inverted
"""


def roofline(accelerator, flops, bytes_moved):
    if bytes_moved <= 0:
        raise ValueError(f"no bytes: {bytes_moved}")
    compute, transfer = flops / accelerator["flops"], bytes_moved / accelerator["bandwidth"]
    seconds = max(compute, transfer)
    bound = "compute" if compute >= transfer else "memory"
    return {"intensity": bytes_moved / flops, "bound": bound, "seconds": seconds, "flops_per_second": flops / seconds}
