"""Takes the logarithm of the softmax: fine until a probability is rounded to 0.

task: decoding.log_probs
says: log-of-underflow
"""


def log_probs(logits):
    return torch.softmax(logits, dim=-1).log()
