"""The softmax over the positions.

task: compression.distillation_loss
says: softmax-over-the-batch
"""

import torch.nn.functional as F


def distillation_loss(student, teacher, targets, temperature, mix):
    soft = F.kl_div(
        (student / temperature).log_softmax(0),
        (teacher.detach() / temperature).log_softmax(0),
        reduction="batchmean",
        log_target=True,
    )
    return mix * temperature**2 * soft + (1 - mix) * F.cross_entropy(student, targets)
