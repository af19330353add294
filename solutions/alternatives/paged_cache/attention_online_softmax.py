"""Block by block with a running maximum: no K or V is gathered, as in a kernel.

task: paged_cache.paged_attention
"""

import torch


def paged_attention(q, k_blocks, v_blocks, tables, lengths):
    size, kv = k_blocks.shape[1:3]
    out = torch.zeros(q.shape, dtype=torch.float64)
    for b, n in enumerate(lengths.tolist()):
        query = q[b].double().unflatten(0, (kv, -1))  # (K, G, D)
        top = torch.full(query.shape[:2], float("-inf"), dtype=torch.float64)
        total, mixed = torch.zeros_like(top), torch.zeros_like(query)
        for i in range(-(-n // size)):
            here = min(size, n - i * size)
            block = int(tables[b, i])
            k, v = k_blocks[block, :here].double(), v_blocks[block, :here].double()
            scores = torch.einsum("kgd,tkd->kgt", query, k) / q.shape[-1] ** 0.5
            higher = torch.maximum(top, scores.amax(-1))
            weights, shrink = (scores - higher[..., None]).exp(), (top - higher).exp()
            total = total * shrink + weights.sum(-1)
            mixed = mixed * shrink[..., None] + torch.einsum("kgt,tkd->kgd", weights, v)
            top = higher
        out[b] = (mixed / total[..., None]).flatten(0, 1)
    return out.to(q.dtype)
