"""Adds nothing when all drafts were accepted.

task: speculative.verify
says: no-bonus-token
"""


def verify(p, q, drafted, uniforms):
    gained, gamma = [], drafted.shape[1]
    for b in range(len(drafted)):
        row = []
        for i, token in enumerate(drafted[b].tolist()):
            if uniforms[b, i] < accept_probability(p[b, i], q[b, i])[token]:
                row.append(token)
            else:
                row.append(int(draw(residual(p[b, i], q[b, i]), uniforms[b, -1])))
                break
        else:
            pass
        gained.append(row)
    return gained
