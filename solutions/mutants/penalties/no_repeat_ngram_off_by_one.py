"""Compares the last n tokens, so that only (n + 1)-grams are forbidden.

task: penalties.no_repeat_ngram
says: ngram-one-longer
"""

import torch


def no_repeat_ngram(logits, prompt, generated, n):
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"n must be an int of 1 or more, got {n}")
    out = logits.clone()
    for row, text in enumerate(torch.cat([prompt, generated], dim=1).tolist()):
        for i in range(len(text) - n):
            if text[i:i + n] == text[-n:]:
                out[row, text[i + n]] = float("-inf")
    return out
