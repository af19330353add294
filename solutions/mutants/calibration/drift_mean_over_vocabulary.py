"""F.kl_div with its default reduction.

task: calibration.drift
says: kl-mean-over-vocabulary
"""

import torch


def drift(reference, logits, real=None):
    real = torch.ones(logits.shape[:2]) if real is None else real
    p, other = (z[real.bool()].log_softmax(-1) for z in (reference, logits))
    same = float((p.argmax(-1) == other.argmax(-1)).float().mean())
    return float(torch.nn.functional.kl_div(other, p, log_target=True)), same
