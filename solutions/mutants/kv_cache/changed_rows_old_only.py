"""Looks at the rows that both have.

task: kv_cache.changed_rows
says: leaves-out-new-rows
"""


def changed_rows(before, after, tolerance=1e-5):
    old, columns = before.shape[-2:]
    moved = (after[..., :old, :columns] - before).abs() > tolerance
    moved = moved | (after[..., :old, columns:].abs() > tolerance).any(-1, keepdim=True)
    return [row for row in range(old) if moved[..., row, :].any()]
