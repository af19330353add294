"""The cache of a model without grouped queries.

task: flops.kv_cache_bytes
says: query-heads-in-cache
"""


def kv_cache_bytes(model, batch, context, bytes_per_value=2):
    return 2 * model["layers"] * model["heads"] * model["head_dim"] * batch * context * bytes_per_value
