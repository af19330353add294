"""Takes the maxima of w over its columns, one for each output.

task: calibration.smoothquant_scales
says: maxima-over-outputs
"""

def smoothquant_scales(x, w, alpha=0.5):
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha {alpha}")
    return x.abs().amax(0).clamp(min=1e-5) ** alpha / w.abs().amax(1).clamp(min=1e-5) ** (1 - alpha)
