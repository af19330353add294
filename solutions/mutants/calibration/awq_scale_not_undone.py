"""Compares with the output of x, although the matrix expects x / s.

task: calibration.awq_scales
says: awq-input-not-divided
"""

def awq_scales(x, w, bits, group=None, grid=20):
    size, right = x.abs().mean(0).clamp(min=1e-4), x @ w.T
    found = []
    for step in range(grid + 1):
        scale = size ** (step / grid)
        got = x @ round_to_nearest(w * scale, bits, group).T
        found.append(float((got - right).square().mean()))
    alpha = found.index(min(found)) / grid
    return alpha, size**alpha
