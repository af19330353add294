"""The lecture's rule with two argmaxes, and a fresh draw from the target.

task: speculative.verify
says: accepts-if-equal
"""


def verify(p, q, drafted, uniforms):
    gained, gamma = [], drafted.shape[1]
    for b in range(len(drafted)):
        row = []
        for i, token in enumerate(drafted[b].tolist()):
            if token == int(p[b, i].argmax()):
                row.append(token)
            else:
                row.append(int(draw(p[b, i], uniforms[b, -1])))
                break
        else:
            row.append(int(draw(p[b, gamma], uniforms[b, -1])))
        gained.append(row)
    return gained
