"""torch's own quantizer for the rounding and cutting.

task: quantization.symmetric
"""

import torch


def symmetric(x, bits, by, clip=1.0):
    most = 2 ** (bits - 1) - 1
    size = {"tensor": x.numel(), "channel": x.shape[1]}.get(by, by)
    if by != "tensor" and x.shape[1] % size:
        raise ValueError(f"{x.shape[1]} columns, groups of {size}")
    rows = x.reshape(-1, size)
    scales = (clip * rows.abs().amax(1, keepdim=True) / most).masked_fill(~rows.any(1, keepdim=True), 1.0)
    zeros = torch.zeros(len(rows), dtype=torch.int32)
    faked = torch.fake_quantize_per_channel_affine(rows, scales[:, 0], zeros, 0, -most, most)
    return (faked / scales).round().to(torch.int8).reshape(x.shape), scales
