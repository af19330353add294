"""Resamples from the target: the rejected token may come again.

task: speculative.residual
says: resamples-from-target
"""


def residual(p, q):
    return p.clone()
