"""Has no rule for p = 1: the rounded sum reaches 1 before the last tokens come.

task: decoding.top_p
says: rounding-drops-tail
"""


def top_p(logits, p):
    if not 0 < p <= 1:
        raise ValueError(f"p is {p}")
    ordered, order = logits.sort(dim=-1, descending=True)
    probs = ordered.softmax(-1)
    cut = probs.cumsum(-1) - probs >= p
    return logits.masked_fill(torch.zeros_like(cut).scatter(-1, order, cut), -torch.inf)
