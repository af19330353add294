"""Gives removed tokens the logit 0, which is the largest there is among log-probabilities.

task: decoding.top_k
says: removed-get-zero
"""


def top_k(logits, k):
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"k is {k}")
    kth = logits.topk(min(k, logits.shape[-1])).values[..., -1:]
    return torch.where(logits >= kth, logits, 0.0)
