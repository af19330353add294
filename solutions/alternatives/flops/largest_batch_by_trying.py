"""Adds sequences until one more does not fit.

task: flops.largest_batch
"""


def largest_batch(model, accelerator, context, bytes_per_value=2):
    weights = sum(parameters(model).values()) * bytes_per_value
    batch = 0
    while weights + kv_cache_bytes(model, batch + 1, context, bytes_per_value) <= accelerator["memory"]:
        batch += 1
    return batch
