"""0 / 0 where the models agree.

task: speculative.residual
says: divides-by-zero
"""


def residual(p, q):
    left = (p - q).clamp(min=0)
    return left / left.sum(-1, keepdim=True)
