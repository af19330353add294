"""1 minus half of the sum of |p - q|.

task: speculative.acceptance_rate
"""


def acceptance_rate(p, q):
    return 1 - (p - q).abs().sum(-1) / 2
