"""Divides by 2^(bits-1), so the largest number has no code of its own.

task: quantization.symmetric
says: scale-absmax-over-2-to-the-b-1
"""

import torch


def symmetric(x, bits, by, clip=1.0):
    most = 2 ** (bits - 1) - 1
    size = x.numel() if by == "tensor" else x.shape[1] if by == "channel" else by
    if by != "tensor" and x.shape[1] % size:
        raise ValueError(f"groups of {size}")
    rows = x.reshape(-1, size)
    scales = clip * rows.abs().amax(1, keepdim=True) / (most + 1)
    scales = torch.where(scales == 0, 1.0, scales)
    codes = (rows / scales).round().clamp(-most, most)
    return codes.to(torch.int8).reshape(x.shape), scales
