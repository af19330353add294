"""The first index of a stable descending sort.

task: decoding.greedy
"""


def greedy(logits):
    return logits.sort(dim=-1, descending=True, stable=True)[1][..., 0]
