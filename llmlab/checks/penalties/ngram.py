"""Checks of no_repeat_ngram. Texts are drawn over few tokens, so that n-grams do repeat; oracle and wrong rules: `rules`."""

from __future__ import annotations

import torch

from llmlab.checks.judging import Expect, Refuse, judge
from llmlab.checks.penalties import rules
from llmlab.checks.penalties.soft import ids
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

TASK = "penalties.no_repeat_ngram"
SEEN, JOINED = "tokens that complete a seen n-gram", "prompt and generated together"
SHORT, ROWS = "n = 1 and short texts", "batches, dtypes and invalid n"
TASKS = (Task(TASK, "lab1", "forbid every token that would complete an n-gram a second time",
              {SEEN: 2, JOINED: 1, SHORT: 1, ROWS: 1}, "part1/penalties.html#sec-no-repeat-ngram"),)


def ngram_case(group: str, logits: torch.Tensor, prompt: torch.Tensor, generated: torch.Tensor, n: int) -> Case:
    """One call, with all wrong rules."""
    def outcome(rule, rows=rules.by_rows):
        return rows(logits, prompt, generated, lambda z, p, g: rule(z, p, g, n))

    wrong = {name: (lambda rule=bad: outcome(rule), words) for name, (bad, words) in rules.WRONG_BAN.items()}
    wrong["penalty-has-no-effect"] = (logits, "Nothing was forbidden.")
    wrong["ngram-mixes-rows"] = (lambda: outcome(rules.ban, rules.mixed_rows), "The rows of the batch were joined into one "
                                 "text: each row has its own.")
    return Case(TASK, group, (Call("no_repeat_ngram", (logits, prompt, generated, n)),), Expect(outcome(rules.ban), wrong))


def draw(generator: torch.Generator, rows: int, vocab: int, prompt: int, new: int, n: int,
         across: bool = False) -> tuple[torch.Tensor, ...]:
    """Logits, prompt and generated; every row forbids a token, but not all; `across`: one that neither part forbids alone."""
    kept = []
    while len(kept) < rows:
        text = torch.randint(vocab - 1, (prompt + new,), generator=generator).tolist()
        banned = rules.completing(text, n)
        alone = {tokens[i + n - 1] for tokens in (text[:prompt], text[prompt:]) for i in range(len(tokens) - n + 1)
                 if tokens[i:i + n - 1] == text[len(text) - n + 1:]}
        if banned and (not across or banned - alone):
            kept.append(text)
    logits = torch.randn(rows, vocab, generator=generator)
    return logits, ids(*[text[:prompt] for text in kept]), ids(*[text[prompt:] for text in kept])


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(6_000 + seed)
    plain = torch.tensor([[1.0, 2.0, 3.0, -1.0, 0.5, 0.0]])
    nothing = ids([])
    story = ids([1, 2, 3, 4, 0, 2, 3, 0, 5, 3, 5, 1, 2, 3])  # 4 followed 1 2 3; 0 followed 2 3 alone, 5 followed 3 alone
    made = [ngram_case(SEEN, plain, nothing, story, 4),
            ngram_case(SEEN, plain, nothing, ids([1, 2, 3, 4, 1, 2]), 3),
            ngram_case(SEEN, plain, nothing, ids([1, 2, 3, 1, 2, 4, 2, 1, 1, 2]), 3),  # two ways on from 1 2
            ngram_case(SEEN, plain, nothing, ids([2, 1, 3, 1, 2]), 3),  # same tokens, other order: nothing is forbidden
            ngram_case(SEEN, plain, nothing, ids([1, 2, 5, 2, 3, 1, 2]), 3)]  # the last token alone does not decide
    for n, vocab, length in ((2, 7, 14), (3, 4, 16), (4, 3, 24)):
        made.append(ngram_case(SEEN, *draw(generator, 1, vocab, 0, length, n), n))
    made.append(ngram_case(JOINED, plain, ids([1, 2, 3]), ids([4, 1, 2]), 3))
    made.append(ngram_case(JOINED, plain, ids([0, 1]), ids([2, 0, 1]), 3))  # 0 1 2 lies across the border
    made.append(ngram_case(JOINED, plain, ids([0, 1, 2, 0, 1]), nothing, 3))
    for n in (2, 3):
        made.append(ngram_case(JOINED, *draw(generator, 1, 5, 6, 7, n, across=True), n))
    made.append(ngram_case(SHORT, plain, ids([1]), ids([3, 1]), 1))
    made.append(ngram_case(SHORT, plain, ids([1, 1]), ids([1, 1]), 2))
    for text in ([1, 1], [2]):
        made.append(ngram_case(SHORT, plain, nothing, ids(text), 4))
    made.append(ngram_case(SHORT, plain, nothing, ids([1, 2, 1]), 3))  # 1 follows 2, but no 3-gram is complete twice
    made.append(ngram_case(SHORT, plain, nothing, nothing, 2))
    for dtype in (torch.float32, torch.float64, torch.float16):
        logits, prompt, generated = draw(generator, 4, 6, 6, 8, 2, across=True)
        logits[0, 5] = float("-inf")
        made.append(ngram_case(ROWS, logits.to(dtype), prompt, generated, 2))
    for n in (0, -2, 2.5):
        made.append(Case(TASK, ROWS, (Call("no_repeat_ngram", (plain, nothing, ids([1, 2]), n)),), Refuse(str(n))))
    return made
