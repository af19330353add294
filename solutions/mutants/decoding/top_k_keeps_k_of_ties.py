"""Scatters the k indices of topk: of tokens that tie with the k-th only some stay.

task: decoding.top_k
says: keeps-k-of-ties
"""


def top_k(logits, k):
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"k is {k}")
    order = logits.sort(dim=-1, descending=True, stable=True).indices[..., :k]
    return torch.full_like(logits, -torch.inf).scatter(-1, order, logits.gather(-1, order))
