"""Gives alpha to the weights.

task: calibration.smoothquant_scales
says: exponents-swapped
"""

def smoothquant_scales(x, w, alpha=0.5):
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha {alpha}")
    return x.abs().amax(0).clamp(min=1e-5) ** (1 - alpha) / w.abs().amax(0).clamp(min=1e-5) ** alpha
