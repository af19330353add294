"""Takes the largest over the wrong axis: the outputs that share an input share a scale.

task: quantization.symmetric
says: groups-down-the-columns
"""

import torch


def symmetric(x, bits, by, clip=1.0):
    most = 2 ** (bits - 1) - 1
    size = x.numel() if by == "tensor" else x.shape[0] if by == "channel" else by
    rows = x.T.reshape(-1, size)
    scales = clip * rows.abs().amax(1, keepdim=True) / most
    codes = (rows / scales).round().clamp(-most, most)
    return codes.to(torch.int8).reshape(x.shape[1], x.shape[0]).T, scales
