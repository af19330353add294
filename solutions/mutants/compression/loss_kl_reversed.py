"""KL(student || teacher).

task: compression.distillation_loss
says: kl-reversed
"""

import torch.nn.functional as F


def distillation_loss(student, teacher, targets, temperature, mix):
    soft = F.kl_div(
        (teacher.detach() / temperature).log_softmax(-1),
        (student / temperature).log_softmax(-1),
        reduction="batchmean",
        log_target=True,
    )
    return mix * temperature**2 * soft + (1 - mix) * F.cross_entropy(student, targets)
