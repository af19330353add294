"""Sets the tokens outside top-k to 0 after the softmax.

task: speculative.distribution
says: truncation-not-renormalised
"""

import torch


def distribution(logits, temperature=1.0, top_k=0):
    if temperature < 0 or top_k < 0:
        raise ValueError(f"temperature {temperature}, top_k {top_k}")

    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.argmax(-1, keepdim=True), 1.0)
    probs = (logits / temperature).softmax(-1)
    if 0 < top_k < probs.shape[-1]:
        probs = probs * (probs >= probs.topk(top_k, -1).values[..., -1:])
    return probs
