"""Has no top-k.

task: speculative.distribution
says: ignores-top-k
"""

right = distribution


def distribution(logits, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    return right(logits, temperature, min(top_k, 0), top_p, min_p)
