"""Always `beams` rows, as tensors: the empty ones begin with a sum of -1e9; 2 * beams candidates a step.

task: decoding.beam_search
"""

import torch


def beam_search(model, prompt, *, beams, max_new_tokens, eos_id=None, length_penalty=1.0):
    for name, value in (("beams", beams), ("max_new_tokens", max_new_tokens)):
        if value <= 0:
            raise ValueError(f"{name} = {value} is not positive")
    if len(prompt) == 0:
        raise ValueError(f"empty prompt {prompt}")
    rows = torch.tensor([prompt] * beams)
    sums = torch.full((beams,), -1e9, dtype=torch.float64)
    sums[0] = 0.0
    done = []
    for step in range(1, max_new_tokens + 1):
        lps = model(rows, torch.ones_like(rows)).double().log_softmax(-1)
        vocab = lps.shape[1]
        best = (sums[:, None] + lps).flatten().topk(min(2 * beams, beams * vocab))
        grown = torch.cat([rows[best.indices // vocab], (best.indices % vocab)[:, None]], dim=1)
        ended = grown[:, -1] == (-1 if eos_id is None else eos_id)
        for i in range(min(beams, len(grown))):
            if ended[i] or step == max_new_tokens:
                done.append((float(best.values[i]) / step**length_penalty, grown[i, len(prompt):].tolist()))
        keep = (~ended).nonzero().flatten()[:beams]
        rows, sums = grown[keep], best.values[keep]
    done = [hypothesis for hypothesis in done if hypothesis[0] > -1e6]
    return sorted(done, key=lambda hypothesis: hypothesis[0], reverse=True)[:beams]
