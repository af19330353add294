"""Drops tokens less likely than min_p.

task: speculative.distribution
says: min-p-not-relative
"""

right = distribution


def distribution(logits, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    right(logits, temperature, top_k, top_p, min_p)  # for its ValueError
    probs = right(logits, temperature, top_k, top_p)
    probs = probs * (probs >= min_p)
    return probs / probs.sum(-1, keepdim=True)
