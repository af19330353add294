"""The rule of thumb 2 n params: no scores, and the embedding counted as a product.

task: flops.forward_flops
says: two-flops-per-parameter
"""


def forward_flops(model, batch, new, context, logits=1):
    return 2 * batch * new * sum(parameters(model).values())
