"""Leaves out the division by the square root of D.

task: paged_cache.paged_attention
says: not-scaled
"""

import torch


def paged_attention(q, k_blocks, v_blocks, tables, lengths):
    size, kv = k_blocks.shape[1:3]
    out = torch.empty_like(q)
    for b, (table, n) in enumerate(zip(tables.tolist(), lengths.tolist())):
        blocks = [block for block in table if block >= 0]
        k, v = (pool[blocks].flatten(0, 1)[:n] for pool in (k_blocks, v_blocks))
        for h in range(q.shape[1]):
            at = h // (q.shape[1] // kv)
            weights = (k[:, at] @ q[b, h]).softmax(0)
            out[b, h] = weights @ v[:, at]
    return out
