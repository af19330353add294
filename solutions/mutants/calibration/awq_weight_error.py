"""Chooses alpha by the error of the weights; the inputs have no say.

task: calibration.awq_scales
says: awq-weight-error
"""

def awq_scales(x, w, bits, group=None, grid=20):
    size, right = x.abs().mean(0).clamp(min=1e-4), x @ w.T
    found = []
    for step in range(grid + 1):
        scale = size ** (step / grid)
        rounded = round_to_nearest(w * scale, bits, group) / scale
        found.append(float((rounded - w).square().mean()))
    alpha = found.index(min(found)) / grid
    return alpha, size**alpha
