"""torch's own attention over gathered slots, with the KV heads repeated.

task: paged_cache.paged_attention
"""

import torch


def paged_attention(q, k_blocks, v_blocks, tables, lengths):
    size, kv, dim = k_blocks.shape[1:]
    places = torch.arange(int(lengths.max()))
    slots = tables[:, places // size].clamp(min=0) * size + places % size  # (B, T)
    k, v = (pool.reshape(-1, kv, dim)[slots].transpose(1, 2) for pool in (k_blocks, v_blocks))
    repeat = q.shape[1] // kv
    k, v = k.repeat_interleave(repeat, dim=1), v.repeat_interleave(repeat, dim=1)
    mask = (places < lengths[:, None])[:, None, None]
    return torch.nn.functional.scaled_dot_product_attention(q.unsqueeze(2), k, v, attn_mask=mask).squeeze(2)
