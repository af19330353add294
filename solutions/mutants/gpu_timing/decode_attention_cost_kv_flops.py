"""Counts scores for the key heads only.

task: gpu_timing.decode_attention_cost
says: kv-heads-for-flops
"""


def decode_attention_cost(batch, query_heads, kv_heads, head_dim, context, itemsize=2):
    flops = 4 * batch * kv_heads * context * head_dim
    cache = 2 * batch * kv_heads * context * head_dim
    return flops, (cache + 2 * batch * query_heads * head_dim) * itemsize
