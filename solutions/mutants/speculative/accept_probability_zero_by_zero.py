"""Divides without asking what the draft never proposes.

task: speculative.accept_probability
says: divides-by-zero
"""


def accept_probability(p, q):
    return (p / q).clamp(max=1)
