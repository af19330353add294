"""By hand, of a loss without tau^2.

task: compression.distillation_gradient
says: tau-squared-missing
"""

import torch.nn.functional as F


def distillation_gradient(student, teacher, targets, temperature, mix):
    soft = (student / temperature).softmax(-1) - (teacher / temperature).softmax(-1)
    hard = student.softmax(-1) - F.one_hot(targets, student.shape[1])
    return (mix * soft / temperature + (1 - mix) * hard) / len(student)
