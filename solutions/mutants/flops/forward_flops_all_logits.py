"""Applies lm_head at every position, although only the last one is needed to generate.

task: flops.forward_flops
says: lm-head-at-all-positions
"""


def forward_flops(model, batch, new, context, logits=1):
    layer = sum(attention_flops(model, batch, new, context).values()) + mlp_flops(model, batch * new)
    return model["layers"] * layer + 2 * batch * new * model["hidden"] * model["vocab"]
