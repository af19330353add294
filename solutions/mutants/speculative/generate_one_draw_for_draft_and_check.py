"""The numbers that drew the draft also decide on it.

task: speculative.generate
says: one-draw-for-draft-and-check
"""

import torch


def generate(target, draft, prompts, max_new_tokens, gamma, dice,
             temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, eos_id=None):
    rows = [list(prompt) for prompt in prompts]

    def new(row, prompt):
        return row[len(prompt) :]

    def done(row, prompt):
        return len(new(row, prompt)) >= max_new_tokens or eos_id in new(row, prompt)

    while not all(done(row, prompt) for row, prompt in zip(rows, prompts)):
        numbers = dice.uniform(len(rows), gamma)
        drafted, q = draft.propose(rows, numbers)
        feed = [row[n:] + tokens for row, n, tokens in zip(rows, target.lengths(), drafted.tolist())]
        logits = target.feed(feed)[:, -gamma - 1 :]
        p = distribution(logits, temperature, top_k, top_p, min_p)
        gained = verify(p, q, drafted, torch.cat([numbers, dice.uniform(len(rows), gamma + 1)[:, -1:]], 1))
        rows = [row + tokens for row, tokens in zip(rows, gained)]
        target.truncate([len(row) - 1 for row in rows])
    out = [new(row, prompt)[:max_new_tokens] for row, prompt in zip(rows, prompts)]
    return [row[: row.index(eos_id) + 1] if eos_id in row else row for row in out]
