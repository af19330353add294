"""Hidden cases of `medusa`: see `llmlab.grading.hidden`."""

import torch

from llmlab.checks.kv_cache.tiny import Tiny
from llmlab.checks.medusa import heads, loop, passes, trees, typical
from llmlab.checks.medusa.staged import MISS, staged
from llmlab.checks.protocol import Case

SEED = 58_219


def extra() -> list[Case]:
    """More heads, wider trees, three layers, other head counts, a longer text."""
    generator = torch.Generator().manual_seed(SEED)
    deep = Tiny(SEED, 6, 3, head_dim=4, layers=3)
    ranks = [[0, 1, 0], [1, 0, MISS], [MISS, 0, 0], [1, 1, 1], [0, 0, 0]]
    return [
        heads.logits_case(heads.SEVERAL, generator, deep, 4, 2),
        heads.loss_case(heads.EACH, generator, 4, 13, 23),
        trees.tree_case(generator, 4, 12, (3, 1, 2, 2)),
        trees.mask_case(trees.BRANCHES, (-1, 0, 0, 0, 1, 3, 3, 5, 4, 8)),
        trees.drawn_path(trees.MISS, generator, (-1, 0, 0, 0, 1, 1, 2, 3, 4, 6, 6, 7, 9)),
        passes.pass_case(passes.PAST, generator, deep, 7, (-1, 0, 0, 1, 1, 2, 2, 4)),
        loop.written(loop.TOKENS, staged(SEED, 5, 14, (2, 2, 1), ranks, (6, 3))),
        loop.written(loop.PASSES, staged(SEED + 1, 4, 12, (2, 1, 2), ranks)),
        loop.written(loop.COLUMNS, staged(SEED + 2, 3, 12, (2, 2, 2), ranks, (3, 1))),
        typical.rule_case(typical.ZERO, typical.unsure(generator, zeros=6), 0.6, 0.1),
        typical.output_case(typical.unsure(generator), torch.full((9,), 1 / 9), 0.6, 0.1),
    ]
