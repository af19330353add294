"""Counts in plain Python.

task: kv_cache.positions
"""

import torch


def positions(real, new):
    rows = []
    for row in real.tolist():
        count, places = 0, []
        for one in row:
            places.append(count if one else 0)
            count += bool(one)
        rows.append(places[-new:])
    return torch.tensor(rows)
