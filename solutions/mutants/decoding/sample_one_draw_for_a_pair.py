"""Draws a random number for every entry of the first dimension only: rows of the same entry share it.

task: decoding.sample
says: one-draw-for-all-rows
"""


def sample(logits, generator):
    cdf = logits.softmax(dim=-1, dtype=torch.float64).cumsum(dim=-1)
    shape = logits.shape[:1] + (1,) * (logits.dim() - 1) if logits.dim() > 1 else (1,)
    u = torch.rand(shape, generator=generator, dtype=torch.float64)
    return (cdf <= u * cdf[..., -1:]).sum(dim=-1)
