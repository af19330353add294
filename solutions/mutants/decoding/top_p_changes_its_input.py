"""Writes -inf into the caller's tensor.

task: decoding.top_p
says: changes-its-input
"""


def top_p(logits, p):
    if not 0 < p <= 1:
        raise ValueError(f"p is {p}")
    if p == 1:
        return logits
    ordered, order = logits.sort(dim=-1, descending=True)
    probs = ordered.double().softmax(-1)
    cut = probs.cumsum(-1) - probs >= p
    logits[torch.zeros_like(cut).scatter(-1, order, cut)] = -torch.inf
    return logits
