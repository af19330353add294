"""Multiplies by the divisor.

task: penalties.length_penalty
says: length-multiplies
"""

import torch


def length_penalty(logprob_sum, length, alpha, form="hf"):
    if form not in ("hf", "gnmt"):
        raise ValueError(f"unknown form {form}")
    if torch.as_tensor(length).min() < 1:
        raise ValueError(f"length must be 1 or more, got {length}")
    return logprob_sum * (length if form == "hf" else (5 + length) / 6) ** alpha
