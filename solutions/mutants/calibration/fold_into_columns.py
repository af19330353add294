"""Divides the inputs of the matrix before, not its outputs.

task: calibration.fold_scales
says: folds-into-the-columns
"""

def fold_scales(previous, w, scale):
    return previous / scale, w * scale
