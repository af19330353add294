"""Draws in sorted order and returns the position there instead of the token's id.

task: decoding.sample
says: returns-rank
"""


def sample(logits, generator):
    cdf = logits.double().softmax(-1).sort(dim=-1, descending=True).values.cumsum(-1)
    u = torch.rand(logits.shape[:-1], generator=generator, dtype=torch.float64).unsqueeze(-1)
    return (cdf <= u * cdf[..., -1:]).sum(dim=-1)
