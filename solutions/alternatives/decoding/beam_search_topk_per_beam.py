"""The best few of each beam first, then the best of those; stops early where no live beam can still win.

task: decoding.beam_search
"""

import torch


def beam_search(model, prompt, *, beams, max_new_tokens, eos_id=None, length_penalty=1.0):
    if beams < 1 or max_new_tokens < 1 or not prompt:
        raise ValueError(f"beams {beams}, max_new_tokens {max_new_tokens}, prompt {prompt}")
    live, finished = [(0.0, [])], []
    for _ in range(max_new_tokens):
        ids = torch.tensor([prompt + new for _, new in live])
        lps = model(ids, torch.ones_like(ids)).double().log_softmax(-1)
        values, tokens = lps.topk(min(2 * beams, lps.shape[1]), dim=-1)
        grown = []
        for (total, new), some, names in zip(live, values.tolist(), tokens.tolist()):
            grown += [(total + lp, [*new, token]) for lp, token in zip(some, names)]
        grown.sort(key=lambda hypothesis: -hypothesis[0])
        finished += [g for g in grown[:beams] if g[1][-1] == eos_id]
        live = [g for g in grown if g[1][-1] != eos_id][:beams]
        if length_penalty >= 0 and live and len(finished) >= beams:
            kept = sorted((total / len(new) ** length_penalty for total, new in finished), reverse=True)[beams - 1]
            if live[0][0] / max_new_tokens ** length_penalty < kept:
                live = []
        if not live:
            break
    scored = [(total / len(new) ** length_penalty, new) for total, new in finished + live]
    return sorted(scored, reverse=True)[:beams]
