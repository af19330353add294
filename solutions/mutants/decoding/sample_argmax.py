"""Returns the most likely token, as a sampler of mistral.rs once did.

task: decoding.sample
says: argmax-instead-of-sampling
"""


def sample(logits, generator):
    return torch.argmax(logits, dim=-1)
