"""Returns what multinomial gives for a batch: (B, 1) instead of (B).

task: decoding.sample
says: keeps-dimension
"""


def sample(logits, generator):
    probs = logits.double().softmax(-1)
    flat = probs.reshape(-1, probs.shape[-1])
    return torch.multinomial(flat, 1, generator=generator).reshape(*logits.shape[:-1], 1)
