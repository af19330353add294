"""Writes the softmax down as it is defined.

task: kv_cache.attention
says: softmax-overflows
"""

import torch


def attention(q, keys, values, mask):
    share = q.shape[1] // keys.shape[1]
    keys, values = keys.repeat_interleave(share, 1), values.repeat_interleave(share, 1)
    raw = torch.exp(q @ keys.transpose(2, 3) / q.shape[3] ** 0.5) * mask[:, None]
    return (raw / raw.sum(-1, keepdim=True)) @ values
