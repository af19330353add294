"""Inverse CDF in plain Python, one row after another.

task: decoding.sample
"""

import bisect
import itertools


def sample(logits, generator):
    probs = logits.double().softmax(-1).reshape(-1, logits.shape[-1]).tolist()
    draws = torch.rand(len(probs), generator=generator, dtype=torch.float64).tolist()
    tokens = []
    for row, u in zip(probs, draws, strict=True):
        cdf = list(itertools.accumulate(row))
        tokens.append(min(bisect.bisect_right(cdf, u * cdf[-1]), bisect.bisect_left(cdf, cdf[-1])))
    return torch.tensor(tokens).reshape(logits.shape[:-1])
