"""torch's cholesky gives the lower factor by default; its rows have nothing right of the diagonal.

task: calibration.gptq
says: no-compensation
"""

import torch


def gptq(w, hessian, bits, group=None, act_order=False):
    columns = w.shape[1]
    order = hessian.diag().argsort(descending=True, stable=True) if act_order else torch.arange(columns)
    w, hessian = w[:, order].clone(), hessian[order][:, order]
    upper = torch.linalg.cholesky(torch.linalg.inv(hessian))
    size = group or columns
    for i in range(columns):
        if i % size == 0:
            scale = grid_scales(w[:, i : i + size], bits)[:, 0]
        rounded = to_grid(w[:, i], scale, bits)
        w[:, i + 1 :] -= ((w[:, i] - rounded) / upper[i, i])[:, None] * upper[i, i + 1 :]
        w[:, i] = rounded
    return w[:, order.argsort()]
