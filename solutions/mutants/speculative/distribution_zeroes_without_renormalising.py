"""Sets the tokens that are cut off to 0 after the softmax.

task: speculative.distribution
says: truncation-not-renormalised
"""

right = distribution


def distribution(logits, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    kept = right(logits, temperature, top_k, top_p, min_p)
    return right(logits, temperature) * (kept > 0)
