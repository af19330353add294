"""Does not look at EOS at all.

task: decoding.beam_search
says: beam-grows-finished
"""

import torch


def beam_search(model, prompt, *, beams, max_new_tokens, eos_id=None, length_penalty=1.0):
    if beams < 1 or max_new_tokens < 1 or not prompt:
        raise ValueError(f"beams {beams}, max_new_tokens {max_new_tokens}, prompt {prompt}")
    live, finished = [(0.0, [])], []
    for _ in range(max_new_tokens):
        ids = torch.tensor([prompt + new for _, new in live])
        lps = model(ids, torch.ones_like(ids)).log_softmax(-1).tolist()
        grown = [(total + lp, new + [token]) for (total, new), row in zip(live, lps) for token, lp in enumerate(row)]
        grown.sort(key=lambda hypothesis: -hypothesis[0])
        live = grown[:beams]
    scored = [(total / len(new) ** length_penalty, new) for total, new in finished + live]
    return sorted(scored, reverse=True)[:beams]
