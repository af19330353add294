"""Accepts where the target likes the token at least as much, and never elsewhere.

task: speculative.accept_probability
says: accepts-only-what-the-target-prefers
"""


def accept_probability(p, q):
    return (p >= q).to(p.dtype)
