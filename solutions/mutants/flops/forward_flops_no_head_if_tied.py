"""Leaves lm_head out when it is tied: it has no parameters of its own, but its product is done.

task: flops.forward_flops
says: lm-head-forgotten
"""


def forward_flops(model, batch, new, context, logits=1):
    layer = sum(attention_flops(model, batch, new, context).values()) + mlp_flops(model, batch * new)
    head = 0 if model["tied"] else 2 * batch * logits * model["hidden"] * model["vocab"]
    return model["layers"] * layer + head
