"""numpy, float64, a product with 1 / scale.

task: quantization.symmetric
"""

import numpy as np
import torch


def symmetric(x, bits, by, clip=1.0):
    most = 2 ** (bits - 1) - 1
    rows = x.numpy().astype(np.float64)
    rows = rows.reshape(1, -1) if by == "tensor" else rows if by == "channel" else None
    if rows is None:
        if x.shape[1] % by:
            raise ValueError(f"{x.shape[1]} columns do not make groups of {by}")
        rows = x.numpy().astype(np.float64).reshape(-1, by)
    scales = clip * np.abs(rows).max(1, keepdims=True) / most
    scales[scales == 0] = 1
    codes = np.clip(np.rint(rows * (1 / scales)), -most, most)
    return torch.tensor(codes.reshape(x.shape)).to(torch.int8), torch.tensor(scales)
