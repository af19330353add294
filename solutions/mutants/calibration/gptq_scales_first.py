"""Computes all group scales before the first column is rounded.

task: calibration.gptq
says: group-scale-before-compensation
"""

import torch


def gptq(w, hessian, bits, group=None, act_order=False):
    columns = w.shape[1]
    order = hessian.diag().argsort(descending=True, stable=True) if act_order else torch.arange(columns)
    w, hessian = w[:, order].clone(), hessian[order][:, order]
    upper = torch.linalg.cholesky(torch.linalg.inv(hessian), upper=True)
    size = group or columns
    scales = grid_scales(w, bits, size)
    for i in range(columns):
        scale = scales[:, i // size]
        rounded = to_grid(w[:, i], scale, bits)
        w[:, i + 1 :] -= ((w[:, i] - rounded) / upper[i, i])[:, None] * upper[i, i + 1 :]
        w[:, i] = rounded
    return w[:, order.argsort()]
