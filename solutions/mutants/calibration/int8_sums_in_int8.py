"""Multiplies int8 tensors: torch keeps the sums in int8, where they wrap around.

task: calibration.llm_int8
says: sums-overflow
"""

import torch


def llm_int8(x, w, threshold=6.0):
    outlier = (x.abs() > threshold).any(0)
    out = x[:, outlier] @ w[:, outlier].T
    x, w = x[:, ~outlier], w[:, ~outlier]
    if x.shape[1]:
        x_scale, w_scale = grid_scales(x, 8), grid_scales(w, 8)
        x_codes, w_codes = (x / x_scale).round().to(torch.int8), (w / w_scale).round().to(torch.int8)
        out = out + (x_codes @ w_codes.T).to(x.dtype) * x_scale * w_scale.T
    return out
