"""Keeps a ledger of what is read and written.

task: flops.mlp_intensity
"""


def mlp_intensity(model, tokens, bytes_per_value=2):
    d, f = model["hidden"], model["mlp"]
    work, moved = 0, tokens * d
    for _ in ("up", "gate") if model["gated"] else ("up",):
        moved += d * f + tokens * f
        work += 2 * tokens * d * f
    work += 2 * tokens * f * d
    moved += f * d + tokens * d
    return work / moved / bytes_per_value
