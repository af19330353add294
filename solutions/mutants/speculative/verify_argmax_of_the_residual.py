"""Takes the most likely token instead of drawing (mistral.rs PR 2424).

task: speculative.verify
says: argmax-of-the-residual
"""


def verify(p, q, drafted, uniforms):
    gained = []
    for b in range(len(drafted)):
        row = drafted[b].tolist()
        for i, token in enumerate(drafted[b].tolist()):
            if uniforms[b, i] >= accept_probability(p[b, i], q[b, i])[token]:
                row = [*row[:i], int(residual(p[b, i], q[b, i]).argmax())]
                break
        else:
            row.append(int(p[b, -1].argmax()))
        gained.append(row)
    return gained
