"""Divides the whole memory by the cache of one sequence.

task: flops.largest_batch
says: batch-forgets-weights
"""


def largest_batch(model, accelerator, context, bytes_per_value=2):
    return int(accelerator["memory"] // kv_cache_bytes(model, 1, context, bytes_per_value))
