"""The rule as Hugging Face writes it: ascending order, cut what sums to at most 1 - p.

task: decoding.top_p
"""


def top_p(logits, p):
    if p <= 0 or p > 1:
        raise ValueError(f"`top_p` has to be above 0 and at most 1, but is {p}")
    if p == 1:
        return logits.clone()
    ordered, order = torch.sort(logits, descending=False)
    cut = ordered.softmax(dim=-1).cumsum(dim=-1) <= 1 - p
    cut[..., -1:] = False
    return logits.masked_fill(cut.scatter(-1, order, cut), -float("inf"))
