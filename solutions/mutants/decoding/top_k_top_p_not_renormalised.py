"""Sums the original probabilities of the k tokens, which do not add up to 1.

task: decoding.top_k_top_p
says: top-p-before-top-k
"""


def top_k_top_p(logits, k, p):
    if k < 1 or not 0 < p <= 1:
        raise ValueError(f"k is {k}, p is {p:g}")
    k = min(k, logits.shape[-1])
    probs = logits.double().softmax(-1)
    order = probs.sort(dim=-1, descending=True, stable=True).indices[..., :k]
    few = probs.gather(-1, order)
    stays = few.cumsum(-1) - few < p
    keep = torch.zeros(logits.shape, dtype=torch.bool).scatter(-1, order, stays)
    return logits.masked_fill(~keep, -torch.inf)
