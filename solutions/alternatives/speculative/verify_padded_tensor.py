"""Keeps a tensor padded with -1 until the end; the bonus is the residual of p and a draft of zeros.

task: speculative.verify
"""

import torch


def verify(p, q, drafted, uniforms):
    q = torch.nn.functional.pad(q, (0, 0, 0, 1))
    kept = uniforms[:, :-1] < accept_probability(p, q)[:, :-1].gather(2, drafted.unsqueeze(2)).squeeze(2)
    count = torch.where(kept.all(1), kept.shape[1], (~kept).long().argmax(1))
    at = count[:, None, None].expand(-1, 1, p.shape[2])
    last = draw(residual(p.gather(1, at)[:, 0], q.gather(1, at)[:, 0]), uniforms[:, -1])
    out = torch.full((len(p), p.shape[1]), -1)
    places = torch.arange(p.shape[1] - 1)
    out[:, :-1] = torch.where(places < count[:, None], drafted, -1)
    out[torch.arange(len(p)), count] = last
    return [[token for token in row if token >= 0] for row in out.tolist()]
