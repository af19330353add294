"""Layers only: the last product is taken for decoding, not for the model.

task: flops.forward_flops
says: lm-head-forgotten
"""


def forward_flops(model, batch, new, context, logits=1):
    layer = sum(attention_flops(model, batch, new, context).values()) + mlp_flops(model, batch * new)
    return model["layers"] * layer
