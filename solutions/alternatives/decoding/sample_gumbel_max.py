"""The Gumbel-max trick: add Gumbel noise, take the largest.

task: decoding.sample
"""


def sample(logits, generator):
    u = torch.rand(logits.shape, generator=generator, dtype=torch.float64).clamp(min=1e-300)
    return (logits.double() - (-u.log()).log()).argmax(dim=-1)
