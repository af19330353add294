"""Starts at 1, also where every draft is a loss.

task: speculative.best_gamma
says: always-speculates
"""


def best_gamma(alpha, cost, most=16):
    return max(range(1, most + 1), key=lambda gamma: speedup(alpha, gamma, cost))
