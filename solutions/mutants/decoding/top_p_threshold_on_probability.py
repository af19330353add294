"""Compares each probability with p instead of the running sum.

task: decoding.top_p
says: threshold-on-probability
"""


def top_p(logits, p):
    if not 0 < p <= 1:
        raise ValueError(f"p is {p}")
    return logits.masked_fill(logits.softmax(-1) < p, -torch.inf)
