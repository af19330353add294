"""Keeps the tokens whose cumulative sum stays within top_p: the one that crosses it is lost.

task: speculative.distribution
says: top-p-drops-the-crossing-token
"""

import torch

right = distribution


def distribution(logits, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    probs = right(logits, temperature, top_k, top_p)
    probs = right(logits, temperature, top_k) * (probs > 0)
    if top_p < 1 and temperature:
        ordered, order = right(logits, temperature, top_k).double().sort(-1, descending=True)
        cut = ordered.cumsum(-1) > top_p
        cut[..., 0] = False  # at least one token
        probs = probs.masked_fill(torch.zeros_like(cut).scatter(-1, order, cut), 0)
    return right(probs.log(), 1.0, 0, 1.0, min_p)
