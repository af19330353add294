"""Runs all of the context through the layers in a decode step.

task: flops.forward_flops
says: decode-recomputes-context
"""


def forward_flops(model, batch, new, context, logits=1):
    layer = sum(attention_flops(model, batch, context, context).values()) + mlp_flops(model, batch * context)
    return model["layers"] * layer + 2 * batch * logits * model["hidden"] * model["vocab"]
