"""Forgets tau^2.

task: compression.distillation_loss
says: tau-squared-missing
"""

import torch.nn.functional as F


def distillation_loss(student, teacher, targets, temperature, mix):
    soft = F.kl_div(
        (student / temperature).log_softmax(-1),
        (teacher.detach() / temperature).log_softmax(-1),
        reduction="batchmean",
        log_target=True,
    )
    return mix * soft + (1 - mix) * F.cross_entropy(student, targets)
