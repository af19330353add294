"""Adds up the traffic of three products that know nothing of each other.

task: flops.mlp_intensity
says: every-map-alone
"""


def mlp_intensity(model, tokens, bytes_per_value=2):
    maps = 3 if model["gated"] else 2
    d, f = model["hidden"], model["mlp"]
    return 2 * maps * tokens * d * f / (bytes_per_value * maps * (tokens * d + tokens * f + d * f))
