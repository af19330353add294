"""Cuts the token that crosses p: tests the sum that includes the token itself.

task: decoding.top_p
says: drops-crossing-token
"""


def top_p(logits, p):
    if not 0 < p <= 1:
        raise ValueError(f"p must lie in (0, 1], got {p}")
    ordered, order = logits.sort(dim=-1, descending=True)
    cut = ordered.softmax(-1).cumsum(-1) > p
    return logits.masked_fill(torch.zeros_like(cut).scatter(-1, order, cut), float("-inf"))
