"""Seeds torch's global random numbers from the generator: every other user of them gets the same numbers again.

task: decoding.sample
says: disturbs-global-random-state
"""


def sample(logits, generator):
    torch.manual_seed(generator.initial_seed())
    probs = logits.double().softmax(-1)
    return torch.multinomial(probs.reshape(-1, probs.shape[-1]), 1).reshape(logits.shape[:-1])
