"""Adds the damping as a number, whatever the size of the inputs.

task: calibration.gptq_hessian
says: damping-absolute
"""

import torch


def gptq_hessian(x, damping=0.01):
    return 2 * x.T @ x + damping * torch.eye(x.shape[1], dtype=x.dtype)
