"""Scales as diagonal matrices.

task: calibration.fold_scales
"""

import torch


def fold_scales(previous, w, scale):
    before = previous / scale if previous.ndim == 1 else torch.diag(1 / scale) @ previous
    return [before, w @ torch.diag(scale)]


def smoothquant_scales(x, w, alpha=0.5):
    if alpha < 0 or alpha > 1:
        raise ValueError(f"alpha is {alpha}; it is a share")
    largest_x, largest_w = (t.abs().max(0).values.clamp_min(1e-5) for t in (x, w))
    return torch.exp(alpha * largest_x.log() - (1 - alpha) * largest_w.log())


def gptq_hessian(x, damping=0.01):
    h = torch.einsum("ni,nj->ij", x, x) * 2
    h.diagonal().add_(damping * h.diagonal().mean())
    return h
