"""Reads the cache only: the weights are on the device already.

task: flops.decode_step
says: latency-without-weights
"""


def decode_step(model, accelerator, batch, context, bytes_per_value=2):
    weights = sum(parameters(model).values()) * bytes_per_value
    cache = kv_cache_bytes(model, batch, context, bytes_per_value)
    work, moved = forward_flops(model, batch, 1, context), cache
    seconds = max(work / accelerator["flops"], moved / accelerator["bandwidth"])
    rate = batch / seconds
    return {"bytes": moved, "flops": work, "seconds": seconds, "tokens_per_second": rate}
