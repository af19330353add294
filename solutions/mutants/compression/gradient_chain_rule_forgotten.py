"""By hand, without the inner derivative 1/tau.

task: compression.distillation_gradient
says: chain-rule-forgotten
"""

import torch.nn.functional as F


def distillation_gradient(student, teacher, targets, temperature, mix):
    soft = (student / temperature).softmax(-1) - (teacher / temperature).softmax(-1)
    hard = student.softmax(-1) - F.one_hot(targets, student.shape[1])
    return (mix * temperature**2 * soft + (1 - mix) * hard) / len(student)
