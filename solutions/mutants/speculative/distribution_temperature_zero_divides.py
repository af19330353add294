"""Divides by a temperature of 0.

task: speculative.distribution
says: divides-by-zero
"""


def distribution(logits, temperature=1.0, top_k=0):
    if temperature < 0 or top_k < 0:
        raise ValueError(f"temperature {temperature}, top_k {top_k}")

    logits = logits / temperature
    if 0 < top_k < logits.shape[-1]:
        logits = logits.masked_fill(logits < logits.topk(top_k, -1).values[..., -1:], float("-inf"))
    return logits.softmax(-1)
