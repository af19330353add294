"""Codes kept as floating-point numbers, outlier columns set to zero and not taken out.

task: calibration.llm_int8
"""

import torch


def llm_int8(x, w, threshold=6.0):
    outlier = x.abs().amax(0) > threshold
    rest_x, rest_w = torch.where(outlier, 0, x).double(), torch.where(outlier, 0, w).double()
    x_scale = (rest_x.abs().amax(1, keepdim=True) / 127).clamp(min=1e-12)
    w_scale = (rest_w.abs().amax(1, keepdim=True) / 127).clamp(min=1e-12)
    product = (rest_x / x_scale).round() @ (rest_w / w_scale).round().T * x_scale * w_scale.T
    return (product + torch.where(outlier, x, 0).double() @ w.double().T).to(x.dtype)
