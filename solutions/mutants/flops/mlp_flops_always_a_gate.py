"""Counts three maps for every model.

task: flops.mlp_flops
says: counts-a-gate
"""


def mlp_flops(model, tokens):
    return 6 * tokens * model["hidden"] * model["mlp"]
