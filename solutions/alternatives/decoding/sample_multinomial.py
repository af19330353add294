"""torch.multinomial with the generator given.

task: decoding.sample
"""


def sample(logits, generator):
    probs = torch.softmax(logits.float(), dim=-1)
    flat = probs.reshape(-1, probs.shape[-1])
    return torch.multinomial(flat, num_samples=1, generator=generator).reshape(probs.shape[:-1])
