"""Spreads the error over all columns, also those that have their codes.

task: calibration.gptq
says: compensates-done-columns
"""

import torch


def gptq(w, hessian, bits, group=None, act_order=False):
    columns = w.shape[1]
    order = hessian.diag().argsort(descending=True, stable=True) if act_order else torch.arange(columns)
    w, hessian = w[:, order].clone(), hessian[order][:, order]
    inverse = torch.linalg.inv(hessian)
    size = group or columns
    for i in range(columns):
        if i % size == 0:
            scale = grid_scales(w[:, i : i + size], bits)[:, 0]
        rounded = to_grid(w[:, i], scale, bits)
        w -= ((w[:, i] - rounded) / inverse[i, i])[:, None] * inverse[i]
        w[:, i] = rounded
    return w[:, order.argsort()]
