"""Reads the keys, not the values.

task: flops.attention_intensity
says: forgets-values
"""


def attention_intensity(model, new, context, bytes_per_value=2):
    n, k = model["heads"], model["kv_heads"]
    return 4 * n * new * context / (bytes_per_value * (2 * n * new + k * context))
