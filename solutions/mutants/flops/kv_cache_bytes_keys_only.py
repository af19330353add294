"""One vector per token, layer and head, as the lecture words it.

task: flops.kv_cache_bytes
says: keys-only
"""


def kv_cache_bytes(model, batch, context, bytes_per_value=2):
    return model["layers"] * model["kv_heads"] * model["head_dim"] * batch * context * bytes_per_value
