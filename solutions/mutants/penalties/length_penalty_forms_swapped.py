"""Uses each formula under the name of the other.

task: penalties.length_penalty
says: gnmt-for-hf
"""

import torch


def length_penalty(logprob_sum, length, alpha, form="hf"):
    if form not in ("hf", "gnmt"):
        raise ValueError(f"unknown form {form}")
    if torch.as_tensor(length).min() < 1:
        raise ValueError(f"length must be 1 or more, got {length}")
    return logprob_sum / ((5 + length) / 6 if form == "hf" else length) ** alpha
