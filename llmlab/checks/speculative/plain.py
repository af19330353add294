"""The loop in plain Python, one row at a time, and what known mistakes make of it.

`right` needs no cache: it takes the target's law after each whole text. `simulate` keeps a cache as a
list of tokens, so that what is not taken back stays in front of everything later. Greedy runs have an
oracle without any draft: `greedy`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from llmlab.checks.speculative.processed import PLAIN, Settings
from llmlab.checks.speculative.verifying import step
from llmlab.checks.speculative.worlds import Proposals, World


@dataclass(frozen=True, eq=False)
class Run:
    """What generate is asked; `numbers` (B, columns) are what the dice will give."""

    world: World
    prompts: list[list[int]]
    new: int
    gamma: int
    numbers: Tensor
    settings: Settings = PLAIN
    eos: int | None = None


@dataclass(frozen=True)
class Rules:
    """How a loop may go wrong.

    `cut`: what the target keeps after a pass: "right", "all", "one more", or "as before the pass".
    `feeds`: "missing" (what it does not hold) or "last" (the text's last token alone), before the drafted
    ones. `settings`: how many of the four reach the target. `ends`: see `finish`.
    """

    cut: str = "right"
    feeds: str = "missing"
    settings: int = 4
    same_numbers: bool = False
    first_columns: bool = False
    ends: str = "right"
    bonus: str = "target"


RULES: dict[str, tuple[Rules, str]] = {
    "rollback-forgotten": (
        Rules(cut="all", feeds="last"),
        "The target went on with rejected tokens in its cache. Cut it back after every pass.",
    ),
    "rollback-one-too-many": (
        Rules(cut="one more", feeds="last"),
        "The target kept a rejected token: of a text of n tokens it "
        "holds n - 1, the last one has not been fed.",
    ),
    "rollback-one-too-many ": (
        Rules(cut="one more"),
        "The target kept a rejected token in the place of the one that replaced "
        "it: of a text of n tokens it holds n - 1.",
    ),
    "rollback-too-far": (
        Rules(cut="as before", feeds="last"),
        "The accepted tokens were taken back, too, and not fed again.",
    ),
    "target-ignores-settings": (
        Rules(settings=0),
        "The settings had no effect on the target's distribution. Both sides go through them.",
    ),
    "target-not-truncated": (
        Rules(settings=1),
        "top_k, top_p and min_p had no effect on the target's distribution. Both sides go through them.",
    ),
    "target-ignores-top-p-and-min-p": (
        Rules(settings=2),
        "top_p and min_p had no effect on the target's distribution. Both sides go through them.",
    ),
    "one-draw-for-draft-and-check": (
        Rules(same_numbers=True),
        "The numbers that drew the drafted tokens also decided on them. Draw new ones.",
    ),
    "reads-the-first-columns": (
        Rules(first_columns=True),
        "The first gamma + 1 rows of the logits were read. With a prompt in front, they are the last ones.",
    ),
    "eos-ignored": (Rules(ends="no eos"), "Rows went on behind eos_id."),
    "eos-in-the-accepted-run-ignored": (
        Rules(ends="eos at the end of a pass"),
        "eos_id was looked for at the end of a pass only. It may stand inside the accepted tokens.",
    ),
    "eos-does-not-cut": (
        Rules(ends="keeps behind eos"),
        "The row ended, but what its last pass gained behind eos_id stayed.",
    ),
    "drops-eos": (Rules(ends="drops eos"), "eos_id itself is missing. It is kept as the last token."),
    "eos-of-the-prompt": (
        Rules(ends="eos in prompt"),
        "A row ended because eos_id stands in its prompt. Only new tokens count.",
    ),
    "max-new-tokens-overshot": (
        Rules(ends="overshoots"),
        "More than max_new_tokens: a pass may gain too many. Cut them off.",
    ),
    "one-row-ends-all": (Rules(ends="first row ends all"), "All rows stopped when the first one was done."),
    "no-bonus-token": (Rules(bonus="none"), "After a full acceptance no bonus token was added."),
}


def finish(
    run: Run, row: list[int], prompt: list[int], ends: str, raw: bool = False
) -> tuple[bool, list[int]]:
    """Is the row done, and its new tokens as returned, under these rules of ending."""
    new, eos = row[len(prompt) :], run.eos
    if ends == "no eos":
        eos = None
    seen = eos in (row if ends == "eos in prompt" else new) and eos is not None
    if ends == "eos at the end of a pass":
        seen = eos is not None and new[-1:] == [eos]
    done = len(new) >= run.new or seen
    if ends != "overshoots":
        new = new[: run.new]
    if eos in new and ends not in ("keeps behind eos", "eos at the end of a pass") and eos is not None:
        new = new[: new.index(eos) + (ends != "drops eos")]
    return done, new


def right(run: Run) -> tuple[list[list[int]], int]:
    """(new tokens of each row, passes until all are done), from the law after each whole text."""
    return simulate(run, None)


def simulate(run: Run, rules: Rules | None) -> tuple[list[list[int]], int]:
    """The same under rules, with a cache. Raises IndexError where the numbers run out."""
    told = rules or Rules()
    draft = Proposals(run.world, run.settings)
    settings = Settings(*run.settings[: told.settings])
    verify = step(bonus=told.bonus)
    rows, caches = [list(prompt) for prompt in run.prompts], [[] for _ in run.prompts]
    numbers, at, passes = run.numbers.tolist(), 0, 0
    stop = any if told.ends == "first row ends all" else all
    while not stop(
        finish(run, row, prompt, told.ends)[0] for row, prompt in zip(rows, run.prompts, strict=True)
    ):
        if at + 2 * run.gamma + 1 > len(numbers[0]):
            raise IndexError("no numbers left")
        for row, cache, u in zip(rows, caches, numbers, strict=True):
            drafted, q = draft.one(tuple(row), u[at : at + run.gamma])
            check = u[at + run.gamma : at + 2 * run.gamma + 1]
            if told.same_numbers:
                check = [*u[at : at + run.gamma], check[-1]]
            if rules is None:
                laws = [run.world.law((*row, *drafted[:i]), settings) for i in range(run.gamma + 1)]
                row += verify(laws, q, drafted, check)
                continue
            fed = row[len(cache) :] if told.feeds == "missing" or not cache else row[-1:]
            before, text = list(cache), [*cache, *fed, *drafted]
            places = range(len(text) - run.gamma, len(text) + 1)
            if told.first_columns:
                places = range(len(before) + 1, len(before) + run.gamma + 2)
            laws = [run.world.law(tuple(text[:n]), settings) for n in places]
            row += verify(laws, q, drafted, check)
            keep = {
                "right": len(row) - 1,
                "one more": len(row),
                "all": len(text),
                "as before": len(before) + len(fed),
            }[told.cut]
            cache[:] = text[:keep]
        at, passes = at + 2 * run.gamma + 1, passes + 1
    return [
        finish(run, row, prompt, told.ends)[1] for row, prompt in zip(rows, run.prompts, strict=True)
    ], passes


def greedy(run: Run) -> list[list[int]]:
    """Plain greedy decoding of the target, one token a step: what speculation at T = 0 must give."""
    told = []
    for prompt in run.prompts:
        new: list[int] = []
        while len(new) < run.new and (run.eos is None or run.eos not in new):
            logits = run.world.target((*prompt, *new))
            new.append(logits.index(max(logits)))
        told.append(new)
    return told


def wrong(
    run: Run, names: Sequence[str] | None = None
) -> dict[str, tuple[Callable[[], list[list[int]]], str]]:
    """Misconception -> (the rows it leads to, what was done in words)."""
    return {
        name: (lambda rules=rules: simulate(run, rules)[0], words)
        for name, (rules, words) in RULES.items()
        if names is None or name.strip() in names
    }
