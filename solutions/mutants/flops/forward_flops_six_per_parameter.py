"""The lecture's 6 (B T) params: forward and backward together.

task: flops.forward_flops
says: six-flops-per-parameter
"""


def forward_flops(model, batch, new, context, logits=1):
    return 6 * batch * new * sum(parameters(model).values())
