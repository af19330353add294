"""A loop over rows, with Python's own sort.

task: decoding.top_k
"""


def top_k(logits, k):
    if not isinstance(k, int) or k <= 0:
        raise ValueError(f"cannot keep {k} tokens")
    out = logits.clone()
    for row in out.view(-1, out.shape[-1]):
        if k < len(row):
            kth = sorted(row.tolist())[-k]
            row[row < kth] = float("-inf")
    return out
