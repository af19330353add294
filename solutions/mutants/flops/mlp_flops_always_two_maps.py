"""Counts up and down, whether there is a gate or not.

task: flops.mlp_flops
says: gated-as-two-maps
"""


def mlp_flops(model, tokens):
    return 4 * tokens * model["hidden"] * model["mlp"]
