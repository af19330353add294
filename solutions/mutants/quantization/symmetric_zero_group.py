"""A group of zeros gets the scale 0.

task: quantization.symmetric
says: zero-group-divides-by-zero
"""

import torch


def symmetric(x, bits, by, clip=1.0):
    most = 2 ** (bits - 1) - 1
    size = x.numel() if by == "tensor" else x.shape[1] if by == "channel" else by
    if by != "tensor" and x.shape[1] % size:
        raise ValueError(f"groups of {size}")
    rows = x.reshape(-1, size)
    scales = clip * rows.abs().amax(1, keepdim=True) / most
    codes = (rows / scales).nan_to_num(0.0).round().clamp(-most, most)
    return codes.to(torch.int8).reshape(x.shape), scales
