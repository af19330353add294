"""Hidden cases of `decoding`: see `llmlab.grading.hidden`."""

import torch

from llmlab.checks.decoding import rows, sampling, shaping, thresholds, truncation
from llmlab.checks.protocol import Case

SEED = 86_028


def extra() -> list[Case]:
    """A vocabulary of real size, a batch of one, one row, three dimensions, many ties, other dtypes."""
    generator = torch.Generator().manual_seed(SEED)

    def normal(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return (torch.randn(shape, generator=generator) * 3).to(dtype)

    def tied(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.randint(-2, 3, shape, generator=generator).to(dtype)

    apart = rows.draw(generator, (2, 3, 40), truncation.order_matters(12, 0.75))
    wide = sampling.two_blocks(generator, 12, sampling.drawable)
    half = torch.float16
    return [
        shaping.log_probs_case(shaping.BATCHES, normal(1, 2048)),
        shaping.log_probs_case(shaping.BATCHES, normal(2, 3, 2, 6, dtype=torch.bfloat16)),
        shaping.log_probs_case(shaping.STABLE, normal(2, 7) * torch.tensor([[90.0], [1.0]])),
        shaping.greedy_case(shaping.TIES, tied(2, 2048)),
        shaping.greedy_case(shaping.TIES, tied(1, 30, dtype=half)),
        shaping.temperature_case(shaping.DIVIDE, normal(1, 2048), 0.3),
        shaping.temperature_case(shaping.LIMITS, tied(3, 2, 9), 0.0),
        shaping.temperature_case(shaping.REMOVED, sampling.one_possible(generator, (2, 2, 5), half),
                                 rows.INF),
        thresholds.top_k_case(thresholds.K_MOST, normal(1, 300), 17),
        thresholds.top_k_case(thresholds.K_EDGES, tied(2, 3, 11, dtype=torch.bfloat16), 4),
        truncation.nucleus_case(truncation.BATCHES, truncation.draw(generator, (1, 2048), 0.55), 0.55),
        truncation.nucleus_case(truncation.ONE, truncation.draw(generator, (2,), 0.4), 0.4),
        truncation.k_p_case(truncation.ORDER, apart, 12, 0.75),
        thresholds.min_p_case(thresholds.M_SHARE, thresholds.min_p_draw(generator, (1, 300), 0.02), 0.02),
        thresholds.min_p_case(thresholds.M_EDGES, tied(2, 2, 8, dtype=half), 1.0),
        sampling.blocks_case(sampling.FITS, wide, SEED, count=sampling.FEWER),
        sampling.certain_case(sampling.one_possible(generator, (1, 2048)), SEED),
        sampling.certain_case(sampling.one_possible(generator, (2, 1, 3), half), SEED),
    ]
