"""Compares each probability with min_p itself; where the model is unsure nothing may stay.

task: decoding.min_p
says: min-p-absolute-threshold
"""


def min_p(logits, min_p):
    if not 0 <= min_p <= 1:
        raise ValueError(f"min_p is {min_p}")
    return logits.masked_fill(logits.softmax(-1) < min_p, -torch.inf)
