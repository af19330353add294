"""Fuses too much: the inner vectors never reach the memory.

task: flops.mlp_intensity
says: forgets-middle
"""


def mlp_intensity(model, tokens, bytes_per_value=2):
    maps = 3 if model["gated"] else 2
    d, f = model["hidden"], model["mlp"]
    return 2 * maps * tokens * d * f / (bytes_per_value * (2 * tokens * d + maps * d * f))
