"""mix weighs the text.

task: compression.distillation_loss
says: mix-swapped
"""

import torch.nn.functional as F


def distillation_loss(student, teacher, targets, temperature, mix):
    soft = F.kl_div(
        (student / temperature).log_softmax(-1),
        (teacher.detach() / temperature).log_softmax(-1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - mix) * temperature**2 * soft + mix * F.cross_entropy(student, targets)
