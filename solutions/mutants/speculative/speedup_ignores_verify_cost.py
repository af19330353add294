"""A pass over gamma + 1 tokens is taken to cost as much as one over a single token.

task: speculative.speedup
says: ignores-verify-cost
"""


def speedup(alpha, gamma, cost, verify_cost=1.0):
    return expected_tokens(alpha, gamma) / (gamma * cost + 1)
