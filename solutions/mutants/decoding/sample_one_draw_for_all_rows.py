"""Draws one random number and uses it for all rows.

task: decoding.sample
says: one-draw-for-all-rows
"""


def sample(logits, generator):
    cdf = logits.softmax(dim=-1, dtype=torch.float64).cumsum(dim=-1)
    u = torch.rand((), generator=generator, dtype=torch.float64)
    return (cdf <= u * cdf[..., -1:]).sum(dim=-1)
