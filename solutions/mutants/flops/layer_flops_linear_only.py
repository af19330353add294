"""12 parameters times h^2, twice: the rule of thumb without attention's own products.

task: flops.layer_flops
says: forgets-quadratic-term
"""


def layer_flops(batch, seq, hidden):
    return 24 * batch * seq * hidden**2
