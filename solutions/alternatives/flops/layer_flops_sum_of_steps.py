"""Adds up the steps, not yet gathered into a polynomial.

task: flops.layer_flops
"""


def layer_flops(batch, seq, hidden):
    b, s, h = batch, seq, hidden
    attention = 6 * b * s * h * h + 2 * b * s * s * h + 2 * b * s * s * h + 2 * b * s * h * h
    return attention + 8 * b * s * h * h + 8 * b * s * h * h
