"""The lecture's S T / (S + T), which holds without grouped queries only.

task: flops.attention_intensity
says: one-number-of-heads
"""


def attention_intensity(model, new, context, bytes_per_value=2):
    n, k = model["heads"], model["kv_heads"]
    return 2 * new * context / (bytes_per_value * (new + context))
