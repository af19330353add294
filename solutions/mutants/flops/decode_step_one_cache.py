"""One cache for the whole batch.

task: flops.decode_step
says: cache-of-one-sequence
"""


def decode_step(model, accelerator, batch, context, bytes_per_value=2):
    weights = sum(parameters(model).values()) * bytes_per_value
    cache = kv_cache_bytes(model, 1, context, bytes_per_value)
    work, moved = forward_flops(model, batch, 1, context), weights + cache
    seconds = max(work / accelerator["flops"], moved / accelerator["bandwidth"])
    rate = batch / seconds
    return {"bytes": moved, "flops": work, "seconds": seconds, "tokens_per_second": rate}
