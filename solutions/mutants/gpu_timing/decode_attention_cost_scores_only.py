"""Counts q K^T and forgets p V.

task: gpu_timing.decode_attention_cost
says: scores-only
"""


def decode_attention_cost(batch, query_heads, kv_heads, head_dim, context, itemsize=2):
    flops = 2 * batch * query_heads * context * head_dim
    cache = 2 * batch * kv_heads * context * head_dim
    return flops, (cache + 2 * batch * query_heads * head_dim) * itemsize
