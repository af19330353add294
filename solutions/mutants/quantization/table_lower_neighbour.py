"""searchsorted finds the neighbour; nobody asks which one is nearer.

task: quantization.table_codes
says: lower-neighbour
"""

import torch


def table_codes(x, table, by):
    size = x.numel() if by == "tensor" else x.shape[1] if by == "channel" else by
    rows = x.reshape(-1, size)
    scales = rows.abs().amax(1, keepdim=True)
    scales = torch.where(scales == 0, 1.0, scales)
    codes = (torch.searchsorted(table, rows / scales, right=True) - 1).clamp(0, len(table) - 1)
    return codes.to(torch.uint8).reshape(x.shape), scales
