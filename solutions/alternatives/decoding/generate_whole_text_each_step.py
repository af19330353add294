"""Builds the padded batch anew from lists at every step, and feeds an ended row nothing but padding.

task: decoding.generate
"""

import torch


def generate(model, prompts, *, max_new_tokens, temperature=0.0, k=None, p=None, generator=None, eos_id=None, pad_id=0,
             stop=(), pieces=None):
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be 1 or more, got {max_new_tokens}")
    if not all(prompts):
        raise ValueError(f"an empty prompt in {prompts}")
    if not all(stop) or (stop and pieces is None):
        raise ValueError(f"stop {stop} with pieces {pieces}")
    if temperature < 0 or (temperature > 0 and generator is None):
        raise ValueError(f"temperature {temperature} with generator {generator}")
    new, why = [[] for _ in prompts], [""] * len(prompts)
    for _ in range(max_new_tokens):
        rows = [[] if why[i] else [*prompt, *new[i]] for i, prompt in enumerate(prompts)]
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), pad_id)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            if row:
                ids[i, -len(row):], mask[i, -len(row):] = torch.tensor(row), 1
        logits = model(ids, mask)
        if temperature == 0:
            chosen = logits.argmax(-1)
        else:
            logits = logits / temperature
            if k is not None:
                logits = top_k(logits, k)  # noqa: F821
            if p is not None:
                logits = top_p(logits, p)  # noqa: F821
            chosen = torch.multinomial(logits.softmax(-1), 1, generator=generator).squeeze(1)
        for row, token in enumerate(chosen.tolist()):
            if why[row]:
                continue
            new[row].append(token)
            text = b"".join(pieces[t] for t in new[row]) if stop else b""
            if token == eos_id:
                why[row] = "eos"
            elif any(word.encode() in text for word in stop):
                why[row] = "stop"
        if all(why):
            break
    return [(tokens, reason or "length") for tokens, reason in zip(new, why)]
