"""The formula as written on the board: exp of a large logit is inf.

task: decoding.log_probs
says: exp-overflows
"""


def log_probs(logits):
    return logits - logits.exp().sum(dim=-1, keepdim=True).log()
