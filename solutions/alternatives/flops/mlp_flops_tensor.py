"""A sum over shapes, returned as a tensor of one number.

task: flops.mlp_flops
"""

import torch


def mlp_flops(model, tokens):
    shapes = torch.tensor([[model["hidden"], model["mlp"]]] * (2 + model["gated"]))
    return 2 * tokens * shapes.prod(-1).sum()
