"""Looks up the last token instead of the last n - 1.

task: penalties.no_repeat_ngram
says: ngram-last-token-only
"""

import torch


def no_repeat_ngram(logits, prompt, generated, n):
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"n must be an int of 1 or more, got {n}")
    out = logits.clone()
    for row, text in enumerate(torch.cat([prompt, generated], dim=1).tolist()):
        for i in range(len(text) - n + 1):
            if n == 1 or text[i + n - 2] == text[-1]:
                out[row, text[i + n - 1]] = float("-inf")
    return out
