"""A Counter for each row and plain lists; the result is always float32.

task: penalties.frequency_penalty
"""

from collections import Counter
import math

import torch


def frequency_penalty(logits, prompt, generated, penalty):
    if not math.isfinite(penalty):
        raise ValueError(f"penalty {penalty}")
    rows = []
    for row, tokens in zip(logits.tolist(), generated.tolist()):
        counts = Counter(tokens)
        rows.append([z - penalty * counts[i] for i, z in enumerate(row)])
    return torch.tensor(rows)
