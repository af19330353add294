"""Compares one token too few.

task: penalties.no_repeat_ngram
says: ngram-one-shorter
"""

import torch


def no_repeat_ngram(logits, prompt, generated, n):
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"n must be an int of 1 or more, got {n}")
    out = logits.clone()
    n = max(1, n - 1)
    for row, text in enumerate(torch.cat([prompt, generated], dim=1).tolist()):
        for i in range(len(text) - n + 1):
            if text[i:i + n - 1] == text[len(text) - n + 1:]:
                out[row, text[i + n - 1]] = float("-inf")
    return out
