"""Puts the prompts into the target's cache before the first pass; drops rows' ends at once.

task: speculative.generate
"""

import torch


def generate(target, draft, prompts, max_new_tokens, gamma, dice,
             temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, eos_id=None):
    new = [[] for _ in prompts]
    if max(map(len, prompts)) > 1 and min(map(len, prompts)) > 1:
        target.feed([prompt[:-1] for prompt in prompts])
    ended = [False] * len(prompts)
    while not all(ended):
        texts = [prompt + row for prompt, row in zip(prompts, new)]
        drafted, q = draft.propose(texts, dice.uniform(len(prompts), gamma))
        held = target.lengths()
        logits = target.feed([text[n:] + tokens for text, n, tokens in zip(texts, held, drafted.tolist())])
        p = torch.stack(
            [distribution(row, temperature, top_k, top_p, min_p) for row in logits[:, -gamma - 1 :]]
        )
        accepts = dice.uniform(len(prompts), gamma)
        gained = verify(p, q, drafted, torch.cat([accepts, dice.uniform(len(prompts), 1)], 1))
        for row, tokens in zip(new, gained):
            row.extend(tokens)
        target.truncate(torch.tensor([len(prompt) + len(row) - 1 for prompt, row in zip(prompts, new)]))
        ended = [len(row) >= max_new_tokens or (eos_id is not None and eos_id in row) for row in new]
    out = []
    for row in new:
        end = row.index(eos_id) + 1 if eos_id is not None and eos_id in row else len(row)
        out.append(row[: min(end, max_new_tokens)])
    return out
