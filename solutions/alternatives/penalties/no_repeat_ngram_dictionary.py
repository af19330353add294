"""A dictionary from context to followers, as Hugging Face builds it.

task: penalties.no_repeat_ngram
"""

import torch


def no_repeat_ngram(logits, prompt, generated, n):
    if type(n) is not int or n < 1:
        raise ValueError(f"n = {n}")
    out = torch.clone(logits)
    for row, text in enumerate(torch.hstack([prompt, generated]).tolist()):
        followers = {}
        for gram in zip(*[text[i:] for i in range(n)]):
            followers.setdefault(gram[:-1], []).append(gram[-1])
        if len(text) + 1 >= n:
            out[row, followers.get(tuple(text[len(text) + 1 - n:]), [])] = -torch.inf
    return out
