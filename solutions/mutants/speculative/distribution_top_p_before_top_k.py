"""Takes the nucleus of all tokens, and top-k of what is left.

task: speculative.distribution
says: top-p-before-top-k
"""

right = distribution


def distribution(logits, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    nucleus = right(logits, temperature, 0, top_p)
    return right(nucleus.log(), 1.0, top_k, 1.0, min_p)
