"""Draws every token that is left with the same probability.

task: decoding.sample
says: uniform-over-kept
"""


def sample(logits, generator):
    noise = torch.rand(logits.shape, generator=generator)
    return noise.masked_fill(logits == -torch.inf, -1.0).argmax(dim=-1)
