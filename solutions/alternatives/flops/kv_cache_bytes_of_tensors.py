"""Makes the cache of one layer on the meta device and asks how large it is.

task: flops.kv_cache_bytes
"""

import torch


def kv_cache_bytes(model, batch, context, bytes_per_value=2):
    shape = (2, batch, model["kv_heads"], context, model["head_dim"])
    return torch.empty(shape, device="meta").numel() * model["layers"] * bytes_per_value
