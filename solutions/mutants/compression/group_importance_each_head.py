"""Scores query heads one by one.

task: compression.group_importance
says: each-query-head-alone
"""

def group_importance(attended, n_kv_heads):
    return attended.abs().mean((0, 2, 3))
