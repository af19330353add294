"""Loops over rows and places; the order of the lesson.

task: speculative.verify
"""


def verify(p, q, drafted, uniforms):
    gained = []
    for b in range(len(drafted)):
        row = []
        for i, token in enumerate(drafted[b].tolist()):
            if uniforms[b, i] * q[b, i, token] >= p[b, i, token]:
                row.append(int(draw(residual(p[b, i], q[b, i]), uniforms[b, -1])))
                break
            row.append(token)
        else:
            row.append(int(draw(p[b, -1], uniforms[b, -1])))
        gained.append(row)
    return gained
