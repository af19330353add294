"""numpy, as the gguf package does it.

task: quantization.from_q4_k
"""

import numpy as np
import torch


def from_q4_k(blocks):
    raw = blocks.numpy()
    units = raw[:, :4].copy().view(np.float16).astype(np.float32)
    a, b, c = np.split(raw[:, 4:16], 3, axis=1)
    s = np.concatenate([a & 0x3F, (c & 0x0F) | ((a >> 2) & 0x30)], 1).astype(np.float32)
    m = np.concatenate([b & 0x3F, (c >> 4) | ((b >> 2) & 0x30)], 1).astype(np.float32)
    body = raw[:, 16:].reshape(-1, 4, 1, 32) >> np.array([0, 4], np.uint8).reshape(1, 1, 2, 1) & 15
    codes = body.reshape(-1, 8, 32).astype(np.float32)
    grid, lift = units[:, :1] * s, units[:, 1:] * m
    return torch.from_numpy((grid[:, :, None] * codes - lift[:, :, None]).reshape(-1, 256))
