"""Stays with logits: a share of the largest probability is a distance from the largest logit.

task: decoding.min_p
"""

import math


def min_p(logits, min_p):
    if min_p < 0 or min_p > 1:
        raise ValueError(f"{min_p} is not a share between 0 and 1")
    if min_p == 0:
        return logits.clone()
    least = logits.double().max(dim=-1, keepdim=True).values + math.log(min_p)
    return logits.masked_fill(logits.double() < least, -math.inf)
