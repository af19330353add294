"""The number that rejected a token also draws its replacement (vllm-ascend PR 16370).

task: speculative.verify
says: one-draw-for-two-decisions
"""


def verify(p, q, drafted, uniforms):
    gained, gamma = [], drafted.shape[1]
    for b in range(len(drafted)):
        row = []
        for i, token in enumerate(drafted[b].tolist()):
            if uniforms[b, i] < accept_probability(p[b, i], q[b, i])[token]:
                row.append(token)
            else:
                row.append(int(draw(residual(p[b, i], q[b, i]), uniforms[b, i])))
                break
        else:
            row.append(int(draw(p[b, gamma], uniforms[b, -1])))
        gained.append(row)
    return gained
