"""Calls work with a low intensity compute-bound.

task: flops.roofline
says: bound-swapped
"""


def roofline(accelerator, flops, bytes_moved):
    if bytes_moved <= 0:
        raise ValueError(f"no bytes: {bytes_moved}")
    compute, transfer = flops / accelerator["flops"], bytes_moved / accelerator["bandwidth"]
    seconds = max(compute, transfer)
    bound = "compute" if compute < transfer else "memory"
    return {"intensity": flops / bytes_moved, "bound": bound, "seconds": seconds, "flops_per_second": flops / seconds}
