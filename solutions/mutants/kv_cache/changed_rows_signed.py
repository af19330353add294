"""Forgets the absolute value.

task: kv_cache.changed_rows
says: signed-difference
"""

import torch


def changed_rows(before, after, tolerance=1e-5):
    old = before.shape[-2]
    filled = torch.nn.functional.pad(before, (0, after.shape[-1] - before.shape[-1]))
    moved = after[..., :old, :] - filled > tolerance
    return [row for row in range(after.shape[-2]) if row >= old or moved[..., row, :].any()]
