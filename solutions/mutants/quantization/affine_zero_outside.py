"""Takes smallest and largest as they are: numbers of one sign leave 0 outside the grid.

task: quantization.affine
says: zero-not-representable
"""

import torch


def affine(x, bits, by):
    most = 2**bits - 1
    size = x.numel() if by == "tensor" else x.shape[1] if by == "channel" else by
    rows = x.reshape(-1, size)
    low = rows.amin(1, keepdim=True)
    high = rows.amax(1, keepdim=True)
    scales = (high - low) / most
    scales = torch.where(scales == 0, 1.0, scales)
    zeros = (-low / scales).round().clamp(0, most)
    codes = ((rows / scales).round() + zeros).clamp(0, most)
    return codes.to(torch.uint8).reshape(x.shape), scales, zeros.to(torch.uint8)
