"""Lazy updates, as in the authors' code: inside a block of columns at once, behind it in one product at its end.

task: calibration.gptq
"""

import torch


def gptq(w, hessian, bits, group=None, act_order=False, block=2):
    columns = w.shape[1]
    order = torch.argsort(-hessian.diag(), stable=True) if act_order else torch.arange(columns)
    work = w[:, order].clone()
    upper = torch.linalg.cholesky(torch.linalg.inv(hessian[order][:, order]), upper=True)
    size = group or columns
    width = size if group else block
    for start in range(0, columns, width):
        end, errors = min(start + width, columns), []
        for i in range(start, end):
            if i % size == 0:
                scale = grid_scales(work[:, i : i + size], bits)[:, 0]
            rounded = to_grid(work[:, i], scale, bits)
            errors.append((work[:, i] - rounded) / upper[i, i])
            work[:, i:end] -= errors[-1][:, None] * upper[i, i:end]
            work[:, i] = rounded
        work[:, end:] -= torch.stack(errors, 1) @ upper[start:end, end:]
    return work[:, torch.argsort(order)]
