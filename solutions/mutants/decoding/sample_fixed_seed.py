"""Seeds the generator inside, so every seed gives the same text.

task: decoding.sample
says: same-draws-for-every-seed
"""


def sample(logits, generator):
    generator.manual_seed(0)
    probs = logits.double().softmax(-1)
    flat = probs.reshape(-1, probs.shape[-1])
    return torch.multinomial(flat, 1, generator=generator).reshape(logits.shape[:-1])
