"""Hidden cases of `penalties`: see `llmlab.grading.hidden`."""

import torch

from llmlab.checks.penalties import length, ngram, soft, together
from llmlab.checks.protocol import Case

SEED = 31_337


def extra() -> list[Case]:
    """A vocabulary of real size, a long text, a batch of one, strong penalties."""
    generator = torch.Generator().manual_seed(SEED)
    wide = list(soft.draw(generator, (3, 400), 20, 30))
    wide[0] = wide[0].float()
    text = ngram.draw(generator, 2, 12, 40, 60, 3, across=True)
    return [
        soft.soft_case("repetition_penalty", soft.ONCE, *wide, 1.07),
        soft.soft_case("presence_penalty", soft.COUNT, *wide, 1.9),
        soft.soft_case("frequency_penalty", soft.COUNT, *wide, 1.9),
        ngram.ngram_case(ngram.JOINED, *text, 3),
        ngram.ngram_case(ngram.SEEN, *ngram.draw(generator, 1, 3, 0, 40, 5), 5),
        length.length_case(length.MANY, [-40.0, -0.25, -7.5], [120, 1, 9], 0.65, "gnmt"),
        together.penalize_case(together.ORDER, *wide, repetition=1.1, presence=1.2, frequency=0.7),
    ]
