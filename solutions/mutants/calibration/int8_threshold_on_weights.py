"""Looks for outliers in the weights.

task: calibration.llm_int8
says: threshold-on-weights
"""

def llm_int8(x, w, threshold=6.0):
    outlier = (w.abs() > threshold).any(0)
    out = x[:, outlier] @ w[:, outlier].T
    x, w = x[:, ~outlier], w[:, ~outlier]
    if x.shape[1]:
        x_scale, w_scale = grid_scales(x, 8), grid_scales(w, 8)
        x_codes, w_codes = (x / x_scale).round().int(), (w / w_scale).round().int()
        out = out + (x_codes @ w_codes.T).to(x.dtype) * x_scale * w_scale.T
    return out
