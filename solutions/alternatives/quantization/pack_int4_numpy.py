"""numpy, with a product instead of a shift.

task: quantization.pack_int4
"""

import numpy as np
import torch


def pack_int4(codes):
    wide = codes.numpy().astype(np.int64)
    if wide.max() > 7 or wide.min() < -8:
        raise ValueError(f"{wide.max()} or {wide.min()} does not fit into four bits")
    wide = np.pad(wide % 16, ((0, 0), (0, wide.shape[1] % 2)))
    return torch.from_numpy((wide[:, ::2] + 16 * wide[:, 1::2]).astype(np.uint8))
