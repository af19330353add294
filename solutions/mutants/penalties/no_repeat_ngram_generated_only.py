"""Searches the generated text alone.

task: penalties.no_repeat_ngram
says: ngram-ignores-prompt
"""


def no_repeat_ngram(logits, prompt, generated, n):
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"n must be an int of 1 or more, got {n}")
    out = logits.clone()
    for row, text in enumerate(generated.tolist()):
        for i in range(len(text) - n + 1):
            if text[i:i + n - 1] == text[len(text) - n + 1:]:
                out[row, text[i + n - 1]] = float("-inf")
    return out
