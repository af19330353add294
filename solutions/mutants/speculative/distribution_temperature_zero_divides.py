"""Divides by a temperature of 0.

task: speculative.distribution
says: divides-by-zero
"""

right = distribution


def distribution(logits, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    if temperature:
        return right(logits, temperature, top_k, top_p, min_p)
    logits = logits / temperature
    return logits.softmax(-1)
