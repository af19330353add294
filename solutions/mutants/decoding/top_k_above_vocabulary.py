"""Hands k to topk as it is, which fails when k is larger than the vocabulary.

task: decoding.top_k
says: k-above-vocabulary
"""


def top_k(logits, k):
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"k is {k}")
    return logits.masked_fill(logits < logits.topk(k, dim=-1).values[..., -1:], -torch.inf)
