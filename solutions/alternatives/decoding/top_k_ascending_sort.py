"""Sorts in ascending order and counts from the end.

task: decoding.top_k
"""


def top_k(logits, k):
    if type(k) is not int or k < 1:
        raise ValueError(f"k={k} is not a positive int")
    ordered, _ = torch.sort(logits)
    kth = ordered[..., max(logits.shape[-1] - k, 0)].unsqueeze(-1)
    return torch.where(logits >= kth, logits, torch.full_like(logits, -torch.inf))
