"""Checks of beam_search: scores, finished hypotheses, the length penalty; exhaustive search where the beams suffice.

Models are tables of random logits, drawn until nothing that the search compares lies within rounding error. Oracles and
wrong searches: `beam_rules`. With V ** (T - 1) beams over V tokens and T steps beam search is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from llmlab.checks.compare import mutation, raises, show, value_of
from llmlab.checks.decoding import fakes
from llmlab.checks.decoding.beam_rules import Hypothesis, Search, exhaustive, gap, search, wrong_results
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import PASS, Call, Case, Event, Output, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

TASK = "decoding.beam_search"
SCORES, FINISHED = "scores and order, without EOS", "finished hypotheses"
LENGTH, EXACT = "length penalty", "as good as trying everything"
CALLS, INVALID = "one call of the model a step", "invalid values"
TASKS = (Task(TASK, "lab1", "keep the best few continuations at every step and rank the hypotheses by length-adjusted score", {
    SCORES: 2, FINISHED: 2, LENGTH: 1, EXACT: 1, CALLS: 1, INVALID: 1}, "part1/beam.html#sec-beam-search"),)

TOLERANCE = 1e-4
"""Scores come from float32 logits; summing a handful of log-probabilities in float32 errs by about 1e-6."""

CLEAR = 3e-4
"""Everything that the search compares is further apart than this, a hundred times the rounding error."""


@dataclass(frozen=True, eq=False)
class Best:
    """The hypotheses that must come back, best first. `counted`: judge the calls of the model instead."""

    run: Search
    right: list[Hypothesis]
    counted: bool = False


def read(value: Any) -> tuple[list[Hypothesis], str]:
    """The result as plain pairs, and what is wrong with its form ("" if nothing)."""
    if not isinstance(value, (list, tuple)):
        return [], f"expected a list of (score, new tokens), got {type(value).__name__}"
    plain = []
    for item in value:
        if not isinstance(item, (list, tuple)) or len(item) != 2:
            return [], f"expected (score, new tokens), got {show(item)}"
        score, tokens = (x.tolist() if isinstance(x, torch.Tensor) else x for x in item)
        if isinstance(tokens, (int, float)) and isinstance(score, (list, tuple)):
            return [], "the score comes first, then the tokens"
        if isinstance(score, bool) or not isinstance(score, (int, float)) or not isinstance(tokens, (list, tuple)):
            return [], f"expected (score, new tokens), got {show(item)}"
        tokens = [t.item() if isinstance(t, torch.Tensor) and t.numel() == 1 else t for t in tokens]
        if isinstance(score, int) and abs(score) > 2**60:
            return [], "a score is far too large"
        if not all(isinstance(t, int) for t in tokens):
            return [], f"the new tokens should be a list of ids, got {show(tokens)}"
        plain.append((float(score), tokens))
    return plain, ""


def same(a: list[Hypothesis], b: list[Hypothesis]) -> bool:
    """Equal tokens in the same order, and scores within TOLERANCE."""
    return len(a) == len(b) and all(
        x == y and abs(s - t) <= TOLERANCE * (1 + abs(t)) for (s, x), (t, y) in zip(a, b, strict=True))


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Judge by `case.expect`, a `Best` or a `Refuse`."""
    last, expect = outputs[-1], case.expect
    if isinstance(expect, Refuse):
        return raises(last, expect.kind, expect.names)
    value, bad = value_of(last)
    if bad:
        return bad
    got, form = read(value)
    if form:
        return Verdict(False, f"The result has another form: {form}.", got=show(value))
    if not same(got, expect.right):
        return told_apart(expect, got)
    verdict = calls(expect.run, events) if expect.counted else PASS
    return verdict if not verdict.ok else mutation(last)


def told_apart(expect: Best, got: list[Hypothesis]) -> Verdict:
    """The verdict on a wrong result: a known mistake, or the first hypothesis that differs."""
    wanted, said = written(expect.right), written(got)
    for name, wrong, words in wrong_results(expect.run):
        if same(got, wrong()):
            return Verdict(False, words, wanted, said, name)
    if len(got) != len(expect.right):
        return Verdict(False, f"Expected {len(expect.right)} hypotheses, got {len(got)}.", wanted, said)
    place = next(i for i in range(len(got)) if not same(got[i:i + 1], expect.right[i:i + 1]))
    if [new for _, new in got] == [new for _, new in expect.right]:
        return Verdict(False, f"The tokens are right, but the score of hypothesis {place} is not.", wanted, said)
    return Verdict(False, f"Hypothesis {place} (0 is the best) differs.", wanted, said)


def written(result: list[Hypothesis]) -> str:
    """The best five, scores with four decimals."""
    listed = ", ".join(f"({score:.4f}, {tokens})" for score, tokens in result[:5])
    return f"[{listed}{', ...' if len(result) > 5 else ''}]"


def calls(run: Search, events: Sequence[Event]) -> Verdict:
    """At most one call a step, with all live beams in it and at most `beams` rows."""
    rows = [len(event.data["ids"]) for event in events if event.kind == "model"]
    if len(rows) > run.max_new_tokens:
        return Verdict(False, f"The model was called {len(rows)} times in {run.max_new_tokens} steps. Put all live beams into "
                       "one batch.", f"at most {run.max_new_tokens} calls", f"{len(rows)} calls", "beam-calls-one-by-one")
    if max(rows, default=0) > run.beams:
        return Verdict(False, f"The model was called on {max(rows)} rows, but only {run.beams} beams are alive.",
                       f"at most {run.beams} rows", f"{max(rows)} rows", "beam-feeds-too-many-rows")
    return PASS


def beam_case(group: str, run: Search, right: list[Hypothesis] | None = None) -> Case:
    """One call; arguments that have their default are left out."""
    given: dict[str, Any] = {"beams": run.beams, "max_new_tokens": run.max_new_tokens}
    if run.eos_id is not None:
        given["eos_id"] = run.eos_id
    if run.length_penalty != 1.0:
        given["length_penalty"] = run.length_penalty
    expect = Best(run, search(run) if right is None else right, group == CALLS)
    return Case(TASK, group, (Call("beam_search", (run.model, run.prompt), given),), expect)


def draw(generator: torch.Generator, vocab: int, beams: int, steps: int, eos: bool, penalty: float = 1.0,
         tells: Sequence[str] = (), prompt: int = 3) -> Search:
    """A run without near ties, in which each mistake of `tells` leads to a result of its own."""
    while True:
        seed = int(torch.randint(2**31, (), generator=generator))
        tokens = torch.randint(vocab, (prompt,), generator=generator).tolist()
        run = Search(fakes.table(seed, vocab, 1.5), tokens, beams, steps, vocab - 1 if eos else None, penalty)
        if gap(run, vocab) < CLEAR:
            continue
        right, values = search(run), {}
        for name, wrong, _ in wrong_results(run):
            if name in tells:
                values.setdefault(name, wrong())
        others = list(values.values())
        if all(not same(a, right) and not any(same(a, b) for b in others[:i]) for i, a in enumerate(others)):
            return run


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(10_000 + seed)
    made = []
    for vocab, beams, steps in ((5, 3, 4), (8, 2, 5), (6, 4, 3)):
        made.append(beam_case(SCORES, draw(generator, vocab, beams, steps, False, tells=("beam-greedy-per-beam",))))
    made.append(beam_case(SCORES, draw(generator, 6, 1, 4, False)))
    for beams, penalty, tells in (
        (2, 1.0, ("beam-forgets-finished", "beam-leaves-out-eos", "beam-stops-at-first-eos", "beam-grows-finished")),
        (3, 1.0, ("beam-drops-live", "beam-eos-for-free", "beam-finished-takes-a-place")),
        (3, 1.0, ("beam-stops-when-full", "beam-forgets-finished")),
        (2, 0.0, ("beam-finishes-any-rank", "beam-drops-live")),
    ):
        made.append(beam_case(FINISHED, draw(generator, 4, beams, 5, True, penalty, tells)))
    sizes = ("beam-never-normalised", "beam-counts-prompt", "beam-leaves-out-eos", "beam-ignores-length-penalty")
    for penalty in (0.6, 2.0, 0.0, -0.5):
        told = sizes if penalty in (0.6, 2.0) else sizes[3:]
        made.append(beam_case(LENGTH, draw(generator, 4, 3, 5, True, penalty, tells=told)))
    for vocab, steps, eos in ((3, 3, False), (3, 3, True), (2, 4, True)):
        run = draw(generator, vocab, vocab ** (steps - 1), steps, eos)
        made.append(beam_case(EXACT, run, exhaustive(run, vocab)))
    for eos in (False, True):
        made.append(beam_case(CALLS, draw(generator, 5, 3, 4, eos)))
    model = fakes.table(2, 5)
    for prompt, beams, steps, named in (([1], 0, 3, "0"), ([1], -2, 3, "-2"), ([1], 2, 0, "0"), ([], 2, 3, "[]")):
        made.append(Case(TASK, INVALID, (Call("beam_search", (model, prompt), {"beams": beams, "max_new_tokens": steps}),),
                         Refuse(named)))
    return made
