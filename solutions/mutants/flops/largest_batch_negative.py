"""Does not stop at zero.

task: flops.largest_batch
says: negative-batch
"""


def largest_batch(model, accelerator, context, bytes_per_value=2):
    free = accelerator["memory"] - sum(parameters(model).values()) * bytes_per_value
    return int(free // kv_cache_bytes(model, 1, context, bytes_per_value))
