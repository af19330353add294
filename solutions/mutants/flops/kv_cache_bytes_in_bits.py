"""Multiplies by the number of bits.

task: flops.kv_cache_bytes
says: bits-for-bytes
"""


def kv_cache_bytes(model, batch, context, bytes_per_value=2):
    return 2 * model["layers"] * model["kv_heads"] * model["head_dim"] * batch * context * bytes_per_value * 8
