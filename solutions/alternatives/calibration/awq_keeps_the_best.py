"""A running best, in float64, with the error as a norm.

task: calibration.awq_scales
"""

import torch


def awq_scales(x, w, bits, group=None, grid=20):
    rows, matrix = x.double(), w.double()
    best, alpha = None, 0.0
    for number in torch.linspace(0, 1, grid + 1, dtype=torch.float64).tolist():
        s = torch.clamp(rows.abs().mean(0), min=1e-4).pow(number)
        off = torch.linalg.norm(rows @ (round_to_nearest(matrix * s, bits, group) / s - matrix).T)
        if best is None or off < best:
            best, alpha, scale = off, number, s
    return alpha, scale.to(x.dtype)
