"""Hidden cases of `calibration`: see `llmlab.grading.hidden`."""

import torch

from llmlab.checks.calibration import awq, columns, int8, measures, scales, states
from llmlab.checks.calibration.parts_judged import normal
from llmlab.checks.protocol import Case

SEED = 57_409


def extra() -> list[Case]:
    """Larger matrices, more outliers, other grids, three layers, longer texts."""
    generator = torch.Generator().manual_seed(SEED)
    weights, hessians = states.model(generator, 8, 5, 3, 4, 4)
    logits = 2 * normal(generator, 4, 9, 11)
    ids = torch.randint(11, (4, 9), generator=generator)
    real = measures.padded((9, 1, 4, 7), 9, left=True)
    other = logits + normal(generator, 4, 9, 11)
    return [
        int8.case(int8.KEPT, *int8.draw(generator, 6, 24, 4, 3)),
        scales.smooth_case(scales.ALPHA, normal(generator, 7, 9), normal(generator, 5, 9), 0.85),
        scales.fold_case(scales.MATRIX, normal(generator, 6, 9), normal(generator, 4, 6), 1.5 ** normal(generator, 6)),
        awq.case(awq.SHAPES, *awq.draw(generator, awq.SHAPES, 3, 4, 12, (7, 12, 4)), 3, 4, 12),
        columns.hessian_case(columns.DAMPED, normal(generator, 3, 9) * 50, 0.1),
        columns.gptq_case(columns.GROUPS, *columns.draw(generator, 6, 12, 4, 3), 4, 3),
        columns.gptq_case(columns.ORDER, *columns.draw(generator, 4, 12, 3, 4, True), 3, 4, True),
        states.case(states.HESSIANS, weights, 4, 4, hessians),
        states.case(states.BITS, weights, 4, 4, hessians),
        measures.perplexity_case(measures.LENGTHS, logits, ids, real),
        measures.drift_case(measures.KL, logits, other, real),
        measures.drift_case(measures.AGREE, logits, other, real),
    ]
