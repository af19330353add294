"""Compares with <=, so the k-th token goes as well.

task: decoding.top_k
says: keeps-one-too-few
"""


def top_k(logits, k):
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"k is {k}")
    kth = logits.sort(dim=-1, descending=True).values[..., min(k, logits.shape[-1]) - 1, None]
    return logits.masked_fill(logits <= kth, -torch.inf)
