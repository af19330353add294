"""B times T, the limit that the lecture gives.

task: flops.mlp_intensity
says: weights-only
"""


def mlp_intensity(model, tokens, bytes_per_value=2):
    return 2 * tokens / bytes_per_value
