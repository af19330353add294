"""Copy drills: a few random tokens said again and again.

Text alone taught these small models to look things up late or not at all: the loss of a line that is
repeated word for word stayed near that of a new one. In a drill all but the first round can be read off the
context, so the attention pattern that does it (an induction head, Olsson et al., 2022) is worth learning at
once, and recall of facts can build on it.
Five hundred steps of them, as in the shipped run, were not enough (docs/models.md).
"""

from __future__ import annotations

import torch
from torch import Tensor

IGNORED = -100  # cross_entropy skips these targets


def drills(row: Tensor, count: int, context: int, seed: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets, each (count, context) int64; the targets of the first round are IGNORED.

    The tokens of a drill are drawn one by one from ``row``, so common tokens stay common; a round is 8 to
    64 long.

    >>> inputs, targets = drills(torch.arange(1000), 1, 200, seed=1)
    >>> period = int((targets[0] == IGNORED).sum()) + 1
    >>> bool((targets[0, period - 1:] == inputs[0, : 201 - period]).all())
    True
    """
    generator = torch.Generator().manual_seed(seed)
    inputs, targets = [], []
    for _ in range(count):
        period = int(torch.randint(8, 65, (1,), generator=generator))
        once = row[torch.randint(len(row), (period,), generator=generator)]  # (period,)
        said = once.repeat(context // period + 2)[: context + 1]  # (context + 1,)
        wanted = said[1:].clone()
        wanted[: period - 1] = IGNORED
        inputs.append(said[:-1])
        targets.append(wanted)
    return torch.stack(inputs), torch.stack(targets)
