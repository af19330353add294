"""Compares the intensity with the ridge point, and takes the lower roof.

task: flops.roofline
"""


def roofline(accelerator, flops, bytes_moved):
    if bytes_moved <= 0:
        raise ValueError(f"got {bytes_moved} bytes")
    intensity, ridge = flops / bytes_moved, accelerator["flops"] / accelerator["bandwidth"]
    reached = min(accelerator["flops"], accelerator["bandwidth"] * intensity)
    return {"intensity": intensity, "bound": "memory" if intensity < ridge else "compute", "seconds": flops / reached,
            "flops_per_second": reached}
