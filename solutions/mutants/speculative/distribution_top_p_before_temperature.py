"""Truncates the distribution of T = 1, and then divides by T.

task: speculative.distribution
says: top-p-before-temperature
"""

right = distribution


def distribution(logits, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    if temperature <= 0:
        return right(logits, temperature, top_k, top_p, min_p)
    nucleus = right(logits, 1.0, top_k, top_p)
    return right(logits.masked_fill(nucleus == 0, float("-inf")), temperature, 0, 1.0, min_p)
