"""Token by token in plain Python.

task: medusa.typical_acceptance
"""

import math

import torch


def typical_acceptance(p, epsilon, delta):
    entropy = -sum(x * math.log(x) for x in p.tolist() if x > 0)
    least = min(epsilon, delta * math.exp(-entropy))
    return torch.tensor([x > least for x in p.tolist()])
