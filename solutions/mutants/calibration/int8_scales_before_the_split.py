"""Computes the scales first and takes the outliers out afterwards.

task: calibration.llm_int8
says: scale-includes-outliers
"""

def llm_int8(x, w, threshold=6.0):
    outlier = (x.abs() > threshold).any(0)
    x_scale, w_scale = grid_scales(x, 8), grid_scales(w, 8)
    x_codes = (x[:, ~outlier] / x_scale).round().int()
    w_codes = (w[:, ~outlier] / w_scale).round().int()
    return x[:, outlier] @ w[:, outlier].T + (x_codes @ w_codes.T).to(x.dtype) * x_scale * w_scale.T
