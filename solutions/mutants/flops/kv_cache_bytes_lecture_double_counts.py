"""The lecture's 2 * 80 * 8192 * 128 * 2: the width of the model times the width of a head.

task: flops.kv_cache_bytes
says: width-of-model-times-head
"""


def kv_cache_bytes(model, batch, context, bytes_per_value=2):
    return 2 * model["layers"] * model["hidden"] * model["head_dim"] * batch * context * bytes_per_value
