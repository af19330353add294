"""Subtracts first and scales afterwards.

task: penalties.penalize
says: repetition-after-subtracting
"""


def penalize(logits, prompt, generated, *, repetition=1.0, presence=0.0, frequency=0.0, no_repeat_ngram=0):
    out = frequency_penalty(logits, prompt, generated, frequency)  # noqa: F821
    out = presence_penalty(out, prompt, generated, presence)  # noqa: F821
    out = repetition_penalty(out, prompt, generated, repetition)  # noqa: F821
    if no_repeat_ngram:
        out = globals()["no_repeat_ngram"](out, prompt, generated, no_repeat_ngram)
    return out
