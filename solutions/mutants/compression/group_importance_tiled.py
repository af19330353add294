"""Counts head h with key-value head h % K.

task: compression.group_importance
says: kv-heads-tiled
"""

def group_importance(attended, n_kv_heads):
    return attended.abs().unflatten(1, (-1, n_kv_heads)).mean((0, 1, 3, 4))
