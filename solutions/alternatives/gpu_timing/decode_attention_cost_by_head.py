"""Adds up head by head.

task: gpu_timing.decode_attention_cost
"""


def decode_attention_cost(batch, query_heads, kv_heads, head_dim, context, itemsize=2):
    flops = moved = 0
    for head in range(query_heads):
        flops += batch * (2 * head_dim * context + 2 * context * head_dim)
        moved += batch * 2 * head_dim
        if head < kv_heads:
            moved += batch * 2 * context * head_dim
    return [float(flops), float(moved * itemsize)]
