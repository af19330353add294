"""Hidden cases of `speculative`: see `llmlab.grading.hidden`."""

import torch

from llmlab.checks.protocol import Case
from llmlab.checks.speculative import drafts, exits, lookups, loop, numbers, processed, rules, steps
from llmlab.checks.speculative.processed import Settings

SEED = 86_753


def extra() -> list[Case]:
    """Larger vocabularies, longer drafts and stories, more layers, other dtypes, one more enumeration."""
    generator = torch.Generator().manual_seed(SEED)
    wide = torch.randn(2, 2, 300, generator=generator)
    text = torch.randint(4, (40,), generator=generator).tolist()
    return [
        processed.distribution_case(processed.SHAPED, wide, 0.45, 17),
        processed.distribution_case(processed.SHAPED, wide, 2.5, 40, 0.7, 0.02),
        processed.distribution_case(processed.GREEDY, wide.double(), 0.0, 5),
        rules.chance_case(rules.EMPTY, *rules.laws(generator, 2, 3, 40, holes=True)),
        rules.residual_case(rules.EQUAL, *rules.one_alike(generator, 5, 60)),
        rules.rate_case(*rules.laws(generator, 2, 4, 50, holes=True)),
        numbers.tokens_case(numbers.SUM, 0.93, 12),
        numbers.speedup_case(0.77, 6, 0.035, 1.3),
        numbers.best_case(0.88, 0.06),
        steps.enumerated(SEED, 2, 3),
        steps.drawn(steps.ROWS, generator, 30, 6, 20, dtype=torch.float64),
        steps.drawn(steps.ONE_HOT, generator, 10, 5, 8, greedy="p"),
        drafts.story_case(
            drafts.ROLLBACK,
            SEED,
            (2, 6, 4, 1),
            (4, 4, 4, 2),
            ((4, 0, 2, 1), (0, 4, 3, 4), (1, 2, 4, 4)),
            Settings(0.8, 4, 0.9),
        ),
        lookups.lookup_case(lookups.FOUND, text, 4, 6),
        exits.story_case(
            exits.CUT,
            SEED,
            6,
            4,
            (False, [[1, 2, 3], [4]]),
            (False, [[5], [6, 7, 8]]),
            (True, [2, 3]),
            (False, [[9, 1], [2]]),
        ),
        loop.drawn(loop.GREEDY, SEED, (6, 1, 3), 12, 5, settings=Settings(0.0)),
        loop.drawn(loop.ENDS, SEED + 1, (5, 2), 12, 6, settings=Settings(0.9, 6, 0.95), ends="inside"),
        loop.enumerated(SEED + 2, 2, 2),
    ]
