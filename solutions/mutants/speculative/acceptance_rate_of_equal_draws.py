"""The probability that both models draw the same token.

task: speculative.acceptance_rate
says: chance-of-equal-draws
"""


def acceptance_rate(p, q):
    return (p * q).sum(-1)
