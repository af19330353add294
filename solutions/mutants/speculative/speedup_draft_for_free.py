"""Divides by the target's pass alone.

task: speculative.speedup
says: draft-for-free
"""


def speedup(alpha, gamma, cost, verify_cost=1.0):
    return expected_tokens(alpha, gamma) / verify_cost
