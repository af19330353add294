"""Accepts every draft.

task: medusa.typical_output
says: accepts-everything
"""

def typical_output(p, q, epsilon, delta):
    return q.clone()
