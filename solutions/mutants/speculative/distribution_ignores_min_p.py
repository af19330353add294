"""Has no min-p.

task: speculative.distribution
says: ignores-min-p
"""

right = distribution


def distribution(logits, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    right(logits, temperature, top_k, top_p, min_p)  # for its ValueError
    return right(logits, temperature, top_k, top_p)
