"""Uses the textbook's width, 4 D, whatever the model says.

task: flops.mlp_flops
says: assumes-four-times-hidden
"""


def mlp_flops(model, tokens):
    return (6 if model["gated"] else 4) * tokens * model["hidden"] * 4 * model["hidden"]
