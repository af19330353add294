"""With lists of rows.

task: compression.prune_groups
"""

def prune_groups(weights, keep, n_heads, n_kv_heads):
    if not set(keep) <= set(range(n_kv_heads)):
        raise ValueError(f"keep is {keep}, of {n_kv_heads} key-value heads")
    d, share = len(weights["k_proj"]) // n_kv_heads, n_heads // n_kv_heads
    kv = [k * d + i for k in keep for i in range(d)]
    query = [(k * share + s) * d + i for k in keep for s in range(share) for i in range(d)]
    small = dict(weights)
    small["q_proj"] = weights["q_proj"][query]
    small["k_proj"], small["v_proj"] = weights["k_proj"][kv], weights["v_proj"][kv]
    small["o_proj"] = weights["o_proj"][:, query].contiguous()
    return small
