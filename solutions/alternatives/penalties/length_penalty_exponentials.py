"""Powers by exp and log, in float64.

task: penalties.length_penalty
"""

import torch


def length_penalty(logprob_sum, length, alpha, form="hf"):
    n = torch.as_tensor(length, dtype=torch.float64)
    if (n < 1).any():
        raise ValueError(f"length {length} must be at least 1")
    if form == "gnmt":
        n = (5 + n) / 6
    elif form != "hf":
        raise ValueError(f"no form {form}")
    return torch.as_tensor(logprob_sum) * torch.exp(-alpha * n.log())
