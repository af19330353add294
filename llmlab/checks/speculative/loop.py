"""Checks of generate: the law of whole texts, greedy identity, ends, and passes of the target.

Enumeration: quarters and halves as in `steps`, every draw of every pass in a row of one batch, so that
the shares of the rows are the law itself. Long runs: Pearson's chi-square on the tokens that follow each
token, in a world that remembers one token, with the student's own ModelDraft. A right loop fails that
less than once in 10**9 checks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from llmlab.checks.compare import mutation, show, value_of
from llmlab.checks.protocol import PASS, Call, Case, Event, Handle, New, Output, Task, Verdict
from llmlab.checks.speculative import plain, worlds
from llmlab.checks.speculative.long_runs import long_run
from llmlab.checks.speculative.plain import Run
from llmlab.checks.speculative.processed import PLAIN, Settings, clear, nearby

__all__ = ["TASKS", "cases", "judge"]

TASK = "speculative.generate"
LAW, GREEDY = "the target's law, by enumeration", "greedy: token for token, in few passes"
ENDS, LONG = "eos and max_new_tokens", "long runs, also with your own ModelDraft"
TASKS = (
    Task(
        TASK,
        "lab5",
        "the whole loop: draft, check, take back, until every row is done",
        {LAW: 3, GREEDY: 2, ENDS: 2, LONG: 2},
        "part4/speculative.html#sec-loop",
    ),
)
EXACT = 1e-6


@dataclass(frozen=True, eq=False)
class Written:
    """A run, how it is judged ("law", "rows" or "long"), and the target passes that a right loop makes."""

    run: Run
    how: str
    passes: int


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """The tokens first, then the passes of the target."""
    want, last = case.expect, outputs[-1]
    value, bad = value_of(last)
    if bad:
        return bad
    rows = written(want.run, value)
    if isinstance(rows, Verdict):
        return rows
    verdict = {"law": law, "rows": tokens, "long": long_run}[want.how](want.run, rows)
    if not verdict.ok:
        return verdict
    if not mutation(last).ok:
        return mutation(last)
    return PASS if want.how == "long" else counted(want, events)


def written(run: Run, value: object) -> list[list[int]] | Verdict:
    """The rows that came back as lists of ids."""
    value = (
        value.tolist()
        if isinstance(value, Tensor) and value.dim() == 2 and not value.is_floating_point()
        else value
    )
    shape = f"{len(run.prompts)} lists of new tokens"
    if not isinstance(value, list | tuple) or len(value) != len(run.prompts):
        return Verdict(False, f"Expected {shape}, one for each prompt.", shape, show(value)[:200])
    rows = [row.tolist() if isinstance(row, Tensor) and row.dim() == 1 else row for row in value]
    for row in rows:
        if not isinstance(row, list | tuple) or not all(
            type(t) is int and 0 <= t < run.world.vocab for t in row
        ):
            return Verdict(
                False, f"Expected lists of token ids from 0 to {run.world.vocab - 1}.", shape, show(row)[:200]
            )
    rows = [list(row) for row in rows]
    if all(
        row[: len(prompt)] == prompt and len(row) > len(prompt)
        for row, prompt in zip(rows, run.prompts, strict=True)
    ) and any(len(row) > run.new for row in rows):
        return Verdict(
            False,
            "The prompts came back as well. Return the new tokens only.",
            shape,
            show(rows[0]),
            "returns-prompt-too",
        )
    return rows


def named(run: Run, rows: list[list[int]], shown: tuple[str, str], said: str) -> Verdict:
    """The verdict on wrong rows: a known mistake that leads to them (to a part, if there are many)."""
    some = list(range(0, len(rows), max(1, len(rows) // 64)))
    rows = [rows[i] for i in some]
    run = replace(run, prompts=[run.prompts[i] for i in some], numbers=run.numbers[some])
    for name, (value, words) in plain.wrong(run).items():
        try:
            if value() == rows:
                return Verdict(False, f"{words} {said}".strip(), *shown, name.strip())
        except IndexError:  # this mistake would have asked for more numbers than there are
            continue
    return Verdict(False, said, *shown)


def tokens(run: Run, rows: list[list[int]]) -> Verdict:
    """The rows themselves. At T = 0 they are those of plain greedy decoding, whatever the numbers were."""
    right = plain.greedy(run) if run.settings.temperature == 0 else plain.right(run)[0]
    if rows == right:
        return PASS
    at = next(i for i, (a, b) in enumerate(zip(rows, right, strict=True)) if a != b)
    shown = f"row {at}: {right[at]}", f"row {at}: {rows[at]}"
    return named(
        run,
        rows,
        shown,
        f"Row {at} has other tokens than {'plain greedy decoding' if run.settings.temperature == 0 else 'it should'}.",
    )


def law(run: Run, rows: list[list[int]]) -> Verdict:
    """The shares of the rows against the target's joint law."""
    want = worlds.joint(run.world, tuple(run.prompts[0]), run.new, run.settings)
    found = {key: count / len(rows) for key, count in Counter(map(tuple, rows)).items()}
    far = worlds.variation(found, want)
    if far <= EXACT:
        return PASS
    worst = max(want.keys() | found.keys(), key=lambda key: abs(want.get(key, 0) - found.get(key, 0)))
    shown = (
        f"{list(worst)} with probability {want.get(worst, 0):.4f}",
        f"in {found.get(worst, 0):.4f} of all cases",
    )
    return named(
        run,
        rows,
        shown,
        f"Over all numbers that the dice can show, the texts are {far:.4f} from the target's law in "
        "total variation.",
    )


def counted(want: Written, events: Sequence[Event]) -> Verdict:
    """Passes of the target: as many as needed, one more for a prefill, and few tokens fed twice."""
    feeds = [
        event.data
        for event in events
        if event.kind == "target" and event.data["method"] == "feed" and "value" in event.data
    ]
    run, passes = want.run, want.passes
    if len(feeds) > passes + 1:
        name = "one-pass-for-each-token" if len(feeds) >= run.gamma * passes else "too-many-passes"
        return Verdict(
            False,
            f"The tokens are right, but took {len(feeds)} passes of the target where {passes} are enough: "
            "one pass checks all drafted tokens.",
            f"{passes} passes",
            f"{len(feeds)} passes",
            name,
        )
    fed = sum(feed["value"].shape[1] for feed in feeds)
    most = max(map(len, run.prompts)) + (run.gamma + 2) * (passes + 1)
    if fed > most:
        return Verdict(
            False,
            f"The tokens are right, but {fed} columns went through the target where {most} are enough: keep "
            "its cache and feed what is missing.",
            f"<= {most} columns",
            f"{fed} columns",
            "recomputes-everything",
        )
    return PASS


def call(group: str, run: Run, how: str, passes: int, own: bool = False) -> Case:
    """One call of generate, with the trusted draft or with the student's."""
    batch = len(run.prompts)
    draft = Handle("draft") if own else worlds.proposals(run.world, run.settings)
    given = (
        worlds.session("target", run.world, batch),
        draft,
        run.prompts,
        run.new,
        run.gamma,
        worlds.dice(run.numbers),
    )
    named = run.settings.by_name()
    steps: tuple = (Call("generate", given, named if run.eos is None else {**named, "eos_id": run.eos}),)
    if own:
        steps = (
            New("draft", "ModelDraft", (worlds.session("small", run.world, batch, draft=True), *run.settings.given())),
            *steps,
        )
    shown = (
        f"generate(target, {'your ModelDraft' if own else 'draft'}, {batch} prompts of "
        f"{', '.join(str(len(p)) for p in run.prompts[:4])}{'...' if batch > 4 else ''} tokens, {run.new}, "
        f"gamma {run.gamma}, dice, {', '.join(f'{key}={value}' for key, value in named.items())}, eos_id={run.eos})"
    )
    return Case(TASK, group, steps, Written(run, how, passes), shown)


def enumerated(seed: int, gamma: int, new: int) -> Case:
    """Every number that the dice can show, a row for each, until the slowest row is done: a token a pass.

    A pass may gain up to gamma + 1 tokens; numbers for drafted tokens that are cut off in any case need
    one value only.
    """
    sizes: list[int] = []
    for left in range(new, 0, -1):
        each = [2 if i < left else 1 for i in range(gamma)]
        sizes += [*each, *each, 4]
    numbers = worlds.grid(*sizes)
    return call(
        LAW, Run(worlds.quarters(seed, 4, (0, 2)), [[1, 3]] * len(numbers), new, gamma, numbers), "law", new
    )


def drawn(
    group: str,
    seed: int,
    lengths: Sequence[int],
    new: int,
    gamma: int,
    *,
    settings: Settings = PLAIN,
    ends: str = "",
    alike: float = 0.7,
) -> Case:
    """A run on random laws. `ends`: the end token stands "inside" an accepted run, or in the "prompt"."""
    while True:
        seed += 10_000
        generator = torch.Generator().manual_seed(seed)
        world = worlds.smooth(seed, 8, alike)
        prompts = [torch.randint(8, (n,), generator=generator).tolist() for n in lengths]
        numbers = torch.rand(
            len(lengths), (2 * gamma + 1) * (new + 2), generator=generator, dtype=torch.float64
        )
        run = Run(world, prompts, new, gamma, numbers, settings)
        rows, _ = plain.right(run)
        if settings.temperature and any(
            plain.right(replace(run, numbers=(numbers + d).clamp(0, 1 - 1e-9), settings=off))[0] != rows
            for d in (-1e-4, 1e-4)
            for off in nearby(settings)
        ):
            continue  # a threshold is near: rounding could decide
        if ends:
            run = replace(
                run, eos=next((t for t in rows[0][2:-3] if ends != "prompt" or t in prompts[0]), None)
            )
            telling = {
                "inside": ("eos-ignored", "eos-in-the-accepted-run-ignored", "eos-does-not-cut"),
                "prompt": ("eos-of-the-prompt",),
            }[ends]
        else:
            telling = ("rollback-forgotten", "rollback-one-too-many", "max-new-tokens-overshot")
        if settings.top_p < 1:
            telling = (*telling, "target-not-truncated", "target-ignores-top-p-and-min-p")
        if ends and run.eos is None or not tells(run, telling):
            continue
        return call(group, run, "rows", plain.right(run)[1])


def tells(run: Run, names: Sequence[str]) -> bool:
    """True if each of these mistakes shows in the rows of this run, each in other ones."""
    seen = [plain.right(run)[0]]
    for value, _ in plain.wrong(run, names).values():
        try:
            rows = value()
        except IndexError:  # it never ends, which shows
            continue
        if rows in seen:
            return False
        seen.append(rows)
    return True


def long_case(seed: int, batch: int = 600, new: int = 8) -> Case:
    """Many rows from one prompt, in a world that remembers one token."""
    settings = Settings(0.6, 4, 0.85)
    while True:  # nothing near a threshold, on either side
        seed += 10_000
        world = worlds.smooth(seed, 5, alike=1.2, memory=1, spread=1.0)
        if all(clear(law((a,)), settings) for a in range(5) for law in (world.target, world.draft)):
            break
    numbers = torch.rand(
        batch, 5 * (new + 1), generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    return call(LONG, Run(world, [[seed % 5]] * batch, new, 2, numbers, settings), "long", new, own=True)


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    at = 57_000 + 20 * seed
    return [
        enumerated(at, 1, 2),
        enumerated(at + 1, 2, 2),
        drawn(GREEDY, at + 2, (4,), 9, 3, settings=Settings(0.0)),
        drawn(GREEDY, at + 3, (2, 5, 3), 7, 4, settings=Settings(0.0)),
        drawn(ENDS, at + 4, (3, 4), 10, 4, ends="inside"),
        drawn(ENDS, at + 5, (4, 2), 8, 3, settings=Settings(0.0), ends="prompt"),
        drawn(ENDS, at + 6, (3, 1), 6, 4, settings=Settings(0.7, 5)),
        drawn(LONG, at + 7, (2,), 20, 3, settings=Settings(0.8, 4, 0.8, 0.1)),
        long_case(at + 8),
    ]
