"""At T = 0 every maximum gets a share, so that two equal logits are drawn from.

task: speculative.distribution
says: greedy-shares-ties
"""


def distribution(logits, temperature=1.0, top_k=0):
    if temperature < 0 or top_k < 0:
        raise ValueError(f"temperature {temperature}, top_k {top_k}")

    if temperature == 0:
        best = (logits == logits.max(-1, keepdim=True).values).to(logits.dtype)
        return best / best.sum(-1, keepdim=True)
    logits = logits / temperature
    if 0 < top_k < logits.shape[-1]:
        logits = logits.masked_fill(logits < logits.topk(top_k, -1).values[..., -1:], float("-inf"))
    return logits.softmax(-1)
