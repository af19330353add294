"""A detour through numpy in single precision.

task: decoding.min_p
"""

import numpy as np


def min_p(logits, min_p):
    if not 0.0 <= min_p <= 1.0:
        raise ValueError(f"min_p={min_p} is outside [0, 1]")
    z = logits.float().numpy()
    weights = np.exp(z - z.max(axis=-1, keepdims=True))
    return torch.from_numpy(np.where(weights >= np.float32(min_p), z, -np.inf)).to(logits.dtype)
