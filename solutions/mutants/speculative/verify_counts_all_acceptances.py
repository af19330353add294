"""Counts acceptances behind the first rejection, too: sum without cumprod.

task: speculative.verify
says: accepts-behind-a-rejection
"""

import torch


def verify(p, q, drafted, uniforms):
    gamma = drafted.shape[1]
    chance = accept_probability(p[:, :gamma], q).gather(2, drafted[:, :, None])[:, :, 0]
    accepted = (uniforms[:, :gamma] < chance).sum(1)
    behind = torch.cat([residual(p[:, :gamma], q), p[:, gamma:]], 1)
    last = draw(behind[torch.arange(len(p)), accepted], uniforms[:, gamma])
    return [[*row[:n], t] for row, n, t in zip(drafted.tolist(), accepted.tolist(), last.tolist())]
