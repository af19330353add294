"""Hands the whole text to every penalty as if it had all been generated.

task: penalties.penalize
says: all-count-prompt
"""

import torch


def penalize(logits, prompt, generated, *, repetition=1.0, presence=0.0, frequency=0.0, no_repeat_ngram=0):
    text, none = torch.cat([prompt, generated], dim=1), prompt[:, :0]
    out = repetition_penalty(logits, none, text, repetition)  # noqa: F821
    out = frequency_penalty(out, none, text, frequency)  # noqa: F821
    out = presence_penalty(out, none, text, presence)  # noqa: F821
    if no_repeat_ngram:
        out = globals()["no_repeat_ngram"](out, none, text, no_repeat_ngram)
    return out
