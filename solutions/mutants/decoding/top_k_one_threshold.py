"""Takes the k-th largest of the whole batch as the threshold of every row.

task: decoding.top_k
says: one-threshold-for-the-batch
"""


def top_k(logits, k):
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"k is {k}")
    kth = logits.flatten().topk(min(k, logits.numel())).values[-1]
    return logits.masked_fill(logits < kth, -torch.inf)
