"""Believes the lecture: the result is p.

task: medusa.typical_output
says: pretends-to-be-lossless
"""

def typical_output(p, q, epsilon, delta):
    return p.clone()
