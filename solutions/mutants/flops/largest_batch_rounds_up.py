"""Lets in the sequence that does not fit.

task: flops.largest_batch
says: rounds-up
"""

import math


def largest_batch(model, accelerator, context, bytes_per_value=2):
    free = accelerator["memory"] - sum(parameters(model).values()) * bytes_per_value
    return max(0, math.ceil(free / kv_cache_bytes(model, 1, context, bytes_per_value)))
