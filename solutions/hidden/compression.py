"""Hidden cases of `compression`: see `llmlab.grading.hidden`."""

import torch

from llmlab.checks.compression import distillation, importance, pruning
from llmlab.checks.protocol import Case

SEED = 59_407


def extra() -> list[Case]:
    """Larger layers, more groups, float64 activations of more dimensions, other temperatures."""
    generator = torch.Generator().manual_seed(SEED)
    large, multi = pruning.layer(generator, 12, 4, 3, 36, 20), pruning.layer(generator, 5, 1, 4, 20, 11)
    return [
        importance.channel_case(importance.BATCH, generator, (2, 3, 4, 5)),
        importance.group_case(importance.SHARED, generator, 3, 12, 4),
        pruning.group_case(pruning.SHARED, large, [0, 1, 3], 12, 4),
        pruning.group_case(pruning.SHARED, multi, [0], 5, 1),
        pruning.channel_case(large, [0, 1, 4, 9, 13, 19]),
        distillation.loss_case(distillation.MIXED, distillation.drawn(generator, 8, 13), 4.0, 0.4),
        distillation.gradient_case(distillation.BOTH, distillation.drawn(generator, 6, 11), 1.7, 0.3),
        distillation.gradient_case(distillation.HOT, distillation.drawn(generator, 2, 8), 900.0, 1.0),
    ]
