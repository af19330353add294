"""With the group size N / K, as it is usually written.

task: flops.attention_intensity
"""


def attention_intensity(model, new, context, bytes_per_value=2):
    group = model["heads"] / model["kv_heads"]
    return 2 / bytes_per_value * group * new * context / (group * new + context)
