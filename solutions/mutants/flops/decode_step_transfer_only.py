"""The source lecture's model, without the arithmetic.

task: flops.decode_step
says: transfer-only
"""


def decode_step(model, accelerator, batch, context, bytes_per_value=2):
    weights = sum(parameters(model).values()) * bytes_per_value
    cache = kv_cache_bytes(model, batch, context, bytes_per_value)
    work, moved = forward_flops(model, batch, 1, context), weights + cache
    seconds = moved / accelerator["bandwidth"]
    rate = batch / seconds
    return {"bytes": moved, "flops": work, "seconds": seconds, "tokens_per_second": rate}
