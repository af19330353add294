"""numpy, row by row, with the whole activation laid out as rows.

task: kv_cache.changed_rows
"""

import numpy as np


def changed_rows(before, after, tolerance=1e-5):
    a, b = before.numpy(), after.numpy()
    a = np.moveaxis(a, -2, 0).reshape(a.shape[-2], -1, a.shape[-1])
    b = np.moveaxis(b, -2, 0).reshape(b.shape[-2], -1, b.shape[-1])
    rows = []
    for i, row in enumerate(b):
        if i >= len(a):
            rows.append(i)
            continue
        same = np.zeros_like(row)
        same[:, :a.shape[2]] = a[i]
        if np.abs(row - same).max() > tolerance:
            rows.append(i)
    return rows
