"""Marks a row as ended, but goes on writing its tokens down while others are not done.

task: decoding.generate
says: writes-after-end
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
    width = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[pad_id] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    new, why = [[] for _ in prompts], [""] * len(prompts)
    for _ in range(max_new_tokens):
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
        live = torch.tensor([not reason for reason in why])
        for row, token in enumerate(chosen.tolist()):
            new[row].append(token)
            if why[row]:
                continue
            text = b"".join(pieces[t] for t in new[row]) if stop else b""
            if token == eos_id:
                why[row] = "eos"
            elif any(word.encode() in text for word in stop):
                why[row] = "stop"
        if all(why):
            break
        ids = torch.cat([ids, torch.where(live, chosen, pad_id)[:, None]], 1)
        mask = torch.cat([mask, live.long()[:, None]], 1)
    return [(tokens, reason or "length") for tokens, reason in zip(new, why)]
