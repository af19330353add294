"""Has no nucleus.

task: speculative.distribution
says: ignores-top-p
"""

right = distribution


def distribution(logits, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    return right(logits, temperature, top_k, max(top_p, 1.0) if top_p > 0 else top_p, min_p)
