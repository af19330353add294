"""The formula.

task: compression.distillation_gradient
"""

import torch.nn.functional as F


def distillation_gradient(student, teacher, targets, temperature, mix):
    soft = (student / temperature).softmax(-1) - (teacher / temperature).softmax(-1)
    hard = student.softmax(-1) - F.one_hot(targets, student.shape[-1])
    return (mix * temperature * soft + (1 - mix) * hard) / student.shape[0]
