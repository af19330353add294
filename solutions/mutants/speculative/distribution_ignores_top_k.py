"""Has no truncation: only the temperature is applied.

task: speculative.distribution
says: ignores-top-k
"""

import torch


def distribution(logits, temperature=1.0, top_k=0):
    if temperature < 0 or top_k < 0:
        raise ValueError(f"temperature {temperature}, top_k {top_k}")

    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.argmax(-1, keepdim=True), 1.0)
    return (logits / temperature).softmax(-1)
