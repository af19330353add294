"""Leaves the codes as floats.

task: quantization.symmetric
says: codes-in-a-wide-dtype
"""

import torch


def symmetric(x, bits, by, clip=1.0):
    most = 2 ** (bits - 1) - 1
    size = x.numel() if by == "tensor" else x.shape[1] if by == "channel" else by
    if by != "tensor" and x.shape[1] % size:
        raise ValueError(f"groups of {size}")
    rows = x.reshape(-1, size)
    scales = clip * rows.abs().amax(1, keepdim=True) / most
    scales = torch.where(scales == 0, 1.0, scales)
    codes = (rows / scales).round().clamp(-most, most)
    return codes.reshape(x.shape), scales
