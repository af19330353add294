"""q / p instead of p / q.

task: speculative.verify
says: ratio-upside-down
"""


def verify(p, q, drafted, uniforms):
    gained, gamma = [], drafted.shape[1]
    for b in range(len(drafted)):
        row = []
        for i, token in enumerate(drafted[b].tolist()):
            if uniforms[b, i] * p[b, i, token] < q[b, i, token]:
                row.append(token)
            else:
                row.append(int(draw(residual(p[b, i], q[b, i]), uniforms[b, -1])))
                break
        else:
            row.append(int(draw(p[b, gamma], uniforms[b, -1])))
        gained.append(row)
    return gained
