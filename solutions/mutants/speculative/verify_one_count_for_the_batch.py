"""Cuts every row to the shortest one, so that the batch stays a rectangle.

task: speculative.verify
says: one-count-for-the-batch
"""

_verify = verify


def verify(p, q, drafted, uniforms):
    rows = _verify(p, q, drafted, uniforms)
    shortest = min(map(len, rows))
    return [row[:shortest] for row in rows]
