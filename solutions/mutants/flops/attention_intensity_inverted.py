"""Bytes per FLOP.

task: flops.attention_intensity
says: intensity-inverted
"""


def attention_intensity(model, new, context, bytes_per_value=2):
    n, k = model["heads"], model["kv_heads"]
    return bytes_per_value * 2 * (n * new + k * context) / (4 * n * new * context)
