"""Prunes all three matrices alike.

task: compression.prune_channels
says: rows-of-down-instead-of-columns
"""

def prune_channels(weights, keep):
    channels = weights["gate_proj"].shape[0]
    for channel in keep:
        if not 0 <= channel < channels:
            raise ValueError(f"there is no channel {channel}; there are 0..{channels - 1}")
    chosen = list(keep)
    return weights | {
        "gate_proj": weights["gate_proj"][chosen],
        "up_proj": weights["up_proj"][chosen],
        "down_proj": weights["down_proj"][chosen],
    }
