"""kl_div with the default reduction, which divides by V as well.

task: compression.distillation_loss
says: mean-over-the-vocabulary-too
"""

import torch.nn.functional as F


def distillation_loss(student, teacher, targets, temperature, mix):
    soft = F.kl_div(
        (student / temperature).log_softmax(-1),
        (teacher.detach() / temperature).log_softmax(-1),
        reduction="mean",
        log_target=True,
    )
    return mix * temperature**2 * soft + (1 - mix) * F.cross_entropy(student, targets)
