"""1 minus the sum of |p - q|, without the factor 1/2.

task: speculative.acceptance_rate
says: total-variation-not-halved
"""


def acceptance_rate(p, q):
    return 1 - (p - q).abs().sum(-1)
