"""The explicit way: the inverse of what is left, updated after each column by elimination.

task: calibration.gptq
"""

import torch


def gptq(w, hessian, bits, group=None, act_order=False):
    columns = w.shape[1]
    order = sorted(range(columns), key=lambda j: -float(hessian[j, j])) if act_order else list(range(columns))
    work, inverse = w.double()[:, order], torch.linalg.inv(hessian.double()[order][:, order])
    for i in range(columns):
        if i % (group or columns) == 0:
            scale = grid_scales(work[:, i : i + (group or columns)], bits)[:, 0]
        rounded = to_grid(work[:, i], scale, bits)
        change = (work[:, i] - rounded)[:, None] / inverse[i, i] * inverse[i]
        work = torch.cat([work[:, :i], rounded[:, None], (work - change)[:, i + 1 :]], 1)
        inverse = inverse - torch.outer(inverse[:, i], inverse[i]) / inverse[i, i]
    out = torch.empty_like(work)
    out[:, order] = work
    return out.to(w.dtype)
