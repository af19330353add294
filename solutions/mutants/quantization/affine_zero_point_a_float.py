"""Keeps the zero point as a float: the codes are right, and 0 is not on the grid.

task: quantization.affine
says: zero-point-not-rounded
"""

import torch


def affine(x, bits, by):
    most = 2**bits - 1
    size = x.numel() if by == "tensor" else x.shape[1] if by == "channel" else by
    rows = x.reshape(-1, size)
    low = rows.amin(1, keepdim=True).clamp(max=0)
    high = rows.amax(1, keepdim=True).clamp(min=0)
    scales = (high - low) / most
    scales = torch.where(scales == 0, 1.0, scales)
    zeros = -low / scales
    codes = (rows / scales + zeros).round().clamp(0, most)
    return codes.to(torch.uint8).reshape(x.shape), scales, zeros
