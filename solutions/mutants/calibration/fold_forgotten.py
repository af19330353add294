"""Scales the weights and leaves what comes before as it was.

task: calibration.fold_scales
says: scale-not-folded
"""

def fold_scales(previous, w, scale):
    return previous.clone(), w * scale
