"""The sums written out.

task: compression.distillation_loss
"""

def distillation_loss(student, teacher, targets, temperature, mix):
    p = (teacher / temperature).softmax(-1)
    log_q = student / temperature - (student / temperature).logsumexp(-1, keepdim=True)
    soft = (p * (p.log() - log_q)).sum(-1)
    hard = student.logsumexp(-1) - student.gather(1, targets[:, None])[:, 0]
    return (mix * temperature * temperature * soft + (1 - mix) * hard).mean()
