"""Draws the replacement from (p - q)+ as it is.

task: speculative.verify
says: residual-not-renormalised
"""


def verify(p, q, drafted, uniforms):
    gained, gamma = [], drafted.shape[1]
    for b in range(len(drafted)):
        row = []
        for i, token in enumerate(drafted[b].tolist()):
            if uniforms[b, i] < accept_probability(p[b, i], q[b, i])[token]:
                row.append(token)
            else:
                row.append(int(draw((p[b, i] - q[b, i]).clamp(min=0), uniforms[b, -1])))
                break
        else:
            row.append(int(draw(p[b, gamma], uniforms[b, -1])))
        gained.append(row)
    return gained
