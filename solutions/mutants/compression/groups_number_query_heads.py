"""Takes the numbers of key-value heads for query heads.

task: compression.prune_groups
says: query-heads-by-group-number
"""

def prune_groups(weights, keep, n_heads, n_kv_heads):
    for group in keep:
        if not 0 <= group < n_kv_heads:
            raise ValueError(f"there is no key-value head {group}; there are 0..{n_kv_heads - 1}")

    def rows(weight: Tensor) -> Tensor:
        return weight.unflatten(0, (n_kv_heads, -1))[list(keep)].flatten(0, 1)

    def heads(weight):
        return weight.unflatten(0, (n_heads, -1))[list(keep)].flatten(0, 1)

    small = {name: rows(weights[name]) for name in ("k_proj", "v_proj")} | {"q_proj": heads(weights["q_proj"])}
    return weights | small | {"o_proj": heads(weights["o_proj"].T).T}
