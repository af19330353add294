"""Clipped, but not divided by its sum (EAGLE #20).

task: speculative.residual
says: residual-not-renormalised
"""


def residual(p, q):
    return (p - q).clamp(min=0)
