"""Takes the gamma with the most tokens a pass, which is always the largest.

task: speculative.best_gamma
says: most-tokens
"""


def best_gamma(alpha, cost, most=16):
    return max(range(most + 1), key=lambda gamma: expected_tokens(alpha, gamma))
