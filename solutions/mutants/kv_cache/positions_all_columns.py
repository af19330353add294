"""Returns the positions of the past as well.

task: kv_cache.positions
says: positions-of-all-columns
"""


def positions(real, new):
    return (real.long().cumsum(1) - 1).clamp(min=0)
