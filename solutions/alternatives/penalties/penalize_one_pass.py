"""One loop over rows and tokens in plain Python; the two subtractions swapped, which changes nothing.

task: penalties.penalize
"""

import math

import torch


def penalize(logits, prompt, generated, *, repetition=1.0, presence=0.0, frequency=0.0, no_repeat_ngram=0):
    if repetition <= 0 or no_repeat_ngram < 0 or not math.isfinite(presence + frequency):
        raise ValueError(f"cannot use {repetition}, {presence}, {frequency}, {no_repeat_ngram}")
    n, rows = no_repeat_ngram, []
    for row, first, new in zip(logits.tolist(), prompt.tolist(), generated.tolist()):
        text, out = first + new, list(row)
        for token in set(text):
            out[token] = out[token] / repetition if out[token] > 0 else out[token] * repetition
        for token in set(new):
            out[token] = out[token] - presence - frequency * new.count(token)
        for i in range(len(text) - n + 1 if n else 0):
            if text[i:i + n - 1] == text[len(text) - n + 1:]:
                out[text[i + n - 1]] = -math.inf
        rows.append(out)
    return torch.tensor(rows, dtype=logits.dtype)
