"""Compares the intensity with that of the ridge.

task: gpu_timing.roofline_point
"""


def roofline_point(flops, nbytes, ms, *, peak_flop_per_s, peak_byte_per_s):
    given = (flops, nbytes, ms, peak_flop_per_s, peak_byte_per_s)
    for value in given:
        if not (value > 0 and value != float("inf")):
            raise ValueError(f"got {value}")
    ridge = peak_flop_per_s / peak_byte_per_s
    intensity = flops / nbytes
    memory = intensity < ridge
    rate = 1000 * flops / ms
    roof = peak_byte_per_s * intensity if memory else peak_flop_per_s
    return dict(bound="memory" if memory else "compute", share=rate / roof, roof=roof, intensity=intensity,
                flop_per_s=rate, byte_per_s=rate / intensity)
