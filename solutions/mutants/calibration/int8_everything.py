"""Plain vector-wise int8: the outliers go through it like everything else.

task: calibration.llm_int8
says: outliers-quantized-too
"""

def llm_int8(x, w, threshold=6.0):
    x_scale, w_scale = grid_scales(x, 8), grid_scales(w, 8)
    product = (x / x_scale).round().int() @ (w / w_scale).round().int().T
    return product.to(x.dtype) * x_scale * w_scale.T
