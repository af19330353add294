"""Plain attention, which writes the scores and reads them again.

task: flops.attention_intensity
says: writes-scores
"""


def attention_intensity(model, new, context, bytes_per_value=2):
    n, k = model["heads"], model["kv_heads"]
    h = model["head_dim"]
    moved = 2 * n * h * new + 2 * k * h * context + 2 * n * new * context
    return 4 * n * h * new * context / (bytes_per_value * moved)
