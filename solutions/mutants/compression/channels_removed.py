"""Takes keep for what should go.

task: compression.prune_channels
says: removes-what-to-keep
"""

def prune_channels(weights, keep):
    channels = weights["down_proj"].shape[1]
    for channel in keep:
        if not 0 <= channel < channels:
            raise ValueError(f"there is no channel {channel}; there are 0..{channels - 1}")
    chosen = [channel for channel in range(channels) if channel not in keep]
    return weights | {
        "gate_proj": weights["gate_proj"][chosen],
        "up_proj": weights["up_proj"][chosen],
        "down_proj": weights["down_proj"][:, chosen],
    }
