"""Windows by unfold, compared all at once.

task: penalties.no_repeat_ngram
"""

import torch


def no_repeat_ngram(logits, prompt, generated, n):
    if not isinstance(n, int) or n <= 0:
        raise ValueError(f"n must be a positive int, not {n}")
    text = torch.cat([prompt, generated], 1)
    if text.shape[1] < n:
        return logits.clone()
    grams = text.unfold(1, n, 1)  # (B, windows, n)
    seen = (grams[..., :-1] == text[:, None, text.shape[1] - n + 1:]).all(-1)
    banned = torch.zeros(logits.shape).scatter_add(1, grams[..., -1], seen.float())
    return logits.masked_fill(banned > 0, float("-inf"))
