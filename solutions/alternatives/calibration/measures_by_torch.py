"""torch's own losses; results as tensors of one number.

task: calibration.perplexity
"""

import torch
import torch.nn.functional as F


def perplexity(logits, ids, real=None):
    wanted = ids[:, 1:].clone()
    if real is not None:
        wanted[(real[:, 1:] == 0) | (real[:, :-1] == 0)] = -100
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), wanted.flatten()).exp()


def drift(reference, logits, real=None):
    some = torch.ones(logits.shape[:2], dtype=torch.bool) if real is None else real.bool()
    p, other = reference[some].log_softmax(-1), logits[some].log_softmax(-1)
    kl = F.kl_div(other, p, reduction="batchmean", log_target=True)
    return [kl, torch.eq(p.argmax(1), other.argmax(1)).sum() / len(p)]
