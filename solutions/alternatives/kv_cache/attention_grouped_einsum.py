"""Query heads in two dimensions, no copy of keys and values; float64 inside.

task: kv_cache.attention
"""

import torch


def attention(q, keys, values, mask):
    batch, heads, new, size = q.shape
    grouped = q.double().reshape(batch, keys.shape[1], -1, new, size)
    scores = torch.einsum("bkgtd,bksd->bkgts", grouped, keys.double()) * size ** -0.5
    scores = torch.where(mask[:, None, None], scores, -torch.inf)
    scores = (scores - scores.amax(-1, keepdim=True)).exp()
    weights = scores / scores.sum(-1, keepdim=True)
    return torch.einsum("bkgts,bksd->bkgtd", weights, values.double()).reshape(q.shape).to(q.dtype)
