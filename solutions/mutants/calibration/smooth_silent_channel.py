"""Divides by the maximum of a channel that may be zero.

task: calibration.smoothquant_scales
says: silent-channel
"""

def smoothquant_scales(x, w, alpha=0.5):
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha {alpha}")
    return x.abs().amax(0) ** alpha / w.abs().amax(0) ** (1 - alpha)
