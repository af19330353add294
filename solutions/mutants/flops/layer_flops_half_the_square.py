"""Counts the scores, and forgets their product with V.

task: flops.layer_flops
says: half-of-quadratic-term
"""


def layer_flops(batch, seq, hidden):
    return 24 * batch * seq * hidden**2 + 2 * batch * seq**2 * hidden
