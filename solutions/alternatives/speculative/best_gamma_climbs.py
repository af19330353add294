"""Climbs as long as it gets faster: the curve has one peak.

task: speculative.best_gamma
"""


def best_gamma(alpha, cost, most=16):
    gamma = 0
    while gamma < most and speedup(alpha, gamma + 1, cost) > speedup(alpha, gamma, cost):
        gamma += 1
    return gamma
