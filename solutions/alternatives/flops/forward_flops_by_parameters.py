"""2 FLOPs for each weight that is multiplied, and scores and values on top.

task: flops.forward_flops
"""


def forward_flops(model, batch, new, context, logits=1):
    d, h = model["hidden"], model["head_dim"]
    weights = 2 * d * h * (model["heads"] + model["kv_heads"]) + (2 + model["gated"]) * d * model["mlp"]
    per_layer = 2 * batch * new * weights + 4 * batch * new * context * model["heads"] * h
    return per_layer * model["layers"] + 2 * batch * logits * d * model["vocab"]
