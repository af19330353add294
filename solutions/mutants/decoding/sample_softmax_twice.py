"""Takes the softmax of probabilities: nearly uniform, and removed tokens come back.

task: decoding.sample
says: softmax-twice
"""


def sample(logits, generator):
    probs = logits.double().softmax(-1).softmax(-1)
    flat = probs.reshape(-1, probs.shape[-1])
    return torch.multinomial(flat, 1, generator=generator).reshape(logits.shape[:-1])
