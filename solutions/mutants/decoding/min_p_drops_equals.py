"""Keeps only tokens above the threshold: at min_p = 1 none is left.

task: decoding.min_p
says: drops-equals
"""


def min_p(logits, min_p):
    if not 0 <= min_p <= 1:
        raise ValueError(f"min_p is {min_p}")
    probs = logits.softmax(-1)
    return torch.where(probs > min_p * probs.amax(-1, keepdim=True), logits, -torch.inf)
