"""Keeps the rows of x that hold an outlier, the tokens and not the channels.

task: calibration.llm_int8
says: outlier-rows
"""

def llm_int8(x, w, threshold=6.0):
    outlier = (x.abs() > threshold).any(1)
    x_scale, w_scale = grid_scales(x, 8), grid_scales(w, 8)
    product = (x / x_scale).round().int() @ (w / w_scale).round().int().T
    out = product.to(x.dtype) * x_scale * w_scale.T
    out[outlier] = x[outlier] @ w.T
    return out
