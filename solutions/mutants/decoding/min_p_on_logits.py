"""Compares logits: a share of a logit means nothing, since logits have no zero point.

task: decoding.min_p
says: threshold-on-logits
"""


def min_p(logits, min_p):
    if not 0 <= min_p <= 1:
        raise ValueError(f"min_p is {min_p}")
    return logits.masked_fill(logits < min_p * logits.amax(-1, keepdim=True), -torch.inf)
