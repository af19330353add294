"""Finds the cut in sorted order and applies it to the original positions.

task: decoding.top_p
says: unsorted-positions
"""


def top_p(logits, p):
    if not 0 < p <= 1:
        raise ValueError(f"p is {p}")
    probs = logits.sort(dim=-1, descending=True).values.softmax(-1)
    return logits.masked_fill(probs.cumsum(-1) - probs >= p, -torch.inf)
