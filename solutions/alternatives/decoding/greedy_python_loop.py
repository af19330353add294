"""Walks over every row in Python.

task: decoding.greedy
"""


def greedy(logits):
    best = []
    for row in logits.reshape(-1, logits.shape[-1]).tolist():
        at = 0
        for i, value in enumerate(row):
            if value > row[at]:
                at = i
        best.append(at)
    return torch.tensor(best, dtype=torch.int32).reshape(logits.shape[:-1])
