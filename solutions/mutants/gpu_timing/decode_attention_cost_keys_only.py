"""Forgets the values in the cache.

task: gpu_timing.decode_attention_cost
says: keys-only
"""


def decode_attention_cost(batch, query_heads, kv_heads, head_dim, context, itemsize=2):
    flops = 4 * batch * query_heads * context * head_dim
    cache = batch * kv_heads * context * head_dim
    return flops, (cache + 2 * batch * query_heads * head_dim) * itemsize
