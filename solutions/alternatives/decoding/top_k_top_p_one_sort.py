"""Sorts once: the k largest lead, and their running sum is renormalised.

task: decoding.top_k_top_p
"""


def top_k_top_p(logits, k, p):
    if k < 1:
        raise ValueError(f"k is {k}, but at least one token must stay")
    if not 0 < p <= 1:
        raise ValueError(f"p is {p}, but it is a probability mass")
    ordered, order = logits.sort(dim=-1, descending=True)
    few = ordered[..., :k].double().softmax(dim=-1)
    keep = torch.zeros(ordered.shape, dtype=torch.bool)
    keep[..., :k] = (few.cumsum(-1) - few < p) | (p == 1)
    return logits.masked_fill(~torch.zeros_like(keep).scatter(-1, order, keep), -torch.inf)
