"""Calls the two in the other order.

task: decoding.top_k_top_p
says: top-p-before-top-k
"""


def top_k_top_p(logits, k, p):
    return top_k(top_p(logits, p), k)
