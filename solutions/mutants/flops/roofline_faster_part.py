"""Takes the part that is done first.

task: flops.roofline
says: min-for-max
"""


def roofline(accelerator, flops, bytes_moved):
    if bytes_moved <= 0:
        raise ValueError(f"no bytes: {bytes_moved}")
    compute, transfer = flops / accelerator["flops"], bytes_moved / accelerator["bandwidth"]
    seconds = min(compute, transfer)
    bound = "compute" if compute >= transfer else "memory"
    return {"intensity": flops / bytes_moved, "bound": bound, "seconds": seconds, "flops_per_second": flops / seconds}
