"""Takes the residual of the place behind the rejected token.

task: speculative.verify
says: residual-of-another-position
"""


def verify(p, q, drafted, uniforms):
    gained, gamma = [], drafted.shape[1]
    for b in range(len(drafted)):
        row = []
        for i, token in enumerate(drafted[b].tolist()):
            if uniforms[b, i] < accept_probability(p[b, i], q[b, i])[token]:
                row.append(token)
            else:
                row.append(
                    int(
                        draw(
                            residual(p[b, min(i + 1, gamma - 1)], q[b, min(i + 1, gamma - 1)]),
                            uniforms[b, -1],
                        )
                    )
                )
                break
        else:
            row.append(int(draw(p[b, gamma], uniforms[b, -1])))
        gained.append(row)
    return gained
