"""Draws from torch's global random numbers.

task: decoding.sample
says: ignores-generator
"""


def sample(logits, generator):
    probs = logits.float().softmax(-1)
    return torch.multinomial(probs.reshape(-1, probs.shape[-1]), 1).reshape(logits.shape[:-1])
