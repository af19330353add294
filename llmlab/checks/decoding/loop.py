"""Checks of generate on models whose every answer is known: results, what the model was fed, stop strings.

The oracle continues each prompt alone in plain Python (`loop_rules`). Sampling is judged by chi-square in `loop_draws`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from llmlab.checks.compare import mutation, raises, show, value_of
from llmlab.checks.decoding import fakes, loop_draws
from llmlab.checks.decoding.loop_rules import Loop, Rows, fed, fed_first, goes_on, reference, wrong_loops
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Call, Case, Event, Output, Rng, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

TASK = "decoding.generate"
GREEDY, PADDING, ENDS = "greedy, one prompt", "left padding and mask", "EOS and rows that have ended"
STOPS, INVALID = "stop strings", "invalid values"
TASKS = (Task(TASK, "lab1", "continue a batch of prompts, one token and one model call at a time", {
    GREEDY: 1, PADDING: 2, ENDS: 2, STOPS: 2, loop_draws.GROUP: 2, INVALID: 1}, "part1/generate.html#sec-generate"),)

# Token ids of the stories: 0 is where a model ends up that was fed the wrong text.
PIECES = [b"?", b"", b"a", b"b", b"c", b"ab", b"bc", b"\xc3", b"\xa9", b"x", b"xby", b".", b"\xe2\x82", b"\xac"]
LOST, EOS, A, B, C, AB, BC, UTF8_1, UTF8_2, X, XBY, DOT, EURO_1, EURO_2 = range(len(PIECES))


def read(value: Any, rows: int) -> tuple[Rows, str]:
    """The result as plain rows, and what is wrong with its form ("" if nothing)."""
    if not isinstance(value, (list, tuple)) or len(value) != rows:
        return [], f"expected a list of {rows} (tokens, reason), one for each prompt"
    plain = []
    for item in value:
        if not isinstance(item, (list, tuple)) or len(item) != 2 or not isinstance(item[1], str):
            return [], f"expected (new tokens, reason) for each prompt, got {show(item)}"
        tokens = item[0].tolist() if isinstance(item[0], torch.Tensor) else item[0]
        if not isinstance(tokens, (list, tuple)):
            return [], f"the new tokens should be a list of ids, got {show(tokens)}"
        if set(map(type, tokens)) - {int}:
            tokens = [t.item() if isinstance(t, torch.Tensor) and t.numel() == 1 else t for t in tokens]
            if not all(isinstance(t, int) for t in tokens):
                return [], f"the new tokens should be a list of ids, got {show(tokens)}"
        plain.append((list(tokens), item[1]))
    return plain, ""


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Judge by `case.expect`: a `Loop`, a `Refuse`, or what `loop_draws` expects."""
    last, run = outputs[-1], case.expect
    if isinstance(run, Refuse):
        return raises(last, run.kind, run.names)
    if not isinstance(run, Loop):
        return loop_draws.judge(case, outputs, events, read)
    value, bad = value_of(last)
    if bad:
        return bad
    got, form = read(value, len(run.prompts))
    if form:
        return Verdict(False, f"The result has another form: {form}.", got=show(value))
    right = reference(run)
    if got != right:
        return told_apart(run, right, got, events)
    verdict = fed(run, right, events) if run.strict else mutation(last)
    return verdict if not verdict.ok else mutation(last)


def told_apart(run: Loop, right: Rows, got: Rows, events: Sequence[Event]) -> Verdict:
    """The verdict on a wrong result: a known mistake, wrong padding, or the first row that differs."""
    row = next(i for i, (a, b) in enumerate(zip(got, right, strict=True)) if a != b)
    where = f"(row {row}, prompt {run.prompts[row]})"
    for name, wrong, words in wrong_loops(run):
        if got == wrong() != right:
            return Verdict(False, f"{words} {where}", show(right[row]), show(got[row]), name)
    first = next((event.data for event in events if event.kind == "model"), None)
    if first:
        verdict = fed_first(run, first["ids"], first["attention_mask"])
        if not verdict.ok:
            return verdict
    if goes_on(run, right, got):
        return Verdict(False, f"Tokens were written after the row had ended {where}.", show(right[row]), show(got[row]),
                       "writes-after-end")
    if [new for new, _ in got] == [new for new, _ in right]:
        return Verdict(False, f"The tokens are right, but the reason is not {where}.", show(right[row]), show(got[row]))
    if [tokens for tokens, _ in wrong_cut(run, right)] == [tokens for tokens, _ in got]:
        return Verdict(False, f"All rows ended when the first one did. The others go on. {where}", show(right[row]),
                       show(got[row]), "one-row-ends-all")
    return Verdict(False, f"The result differs {where}.", show(right[row]), show(got[row]))


def wrong_cut(run: Loop, right: Rows) -> Rows:
    """Every row cut where the shortest ends, whatever reason is given."""
    steps = min(len(new) for new, _ in right)
    return [(new[:steps], why) for new, why in right]


def loop_case(group: str, run: Loop, label: str = "", **sampling) -> Case:
    """One call of generate; arguments that have their default are left out."""
    given: dict[str, Any] = {"max_new_tokens": run.max_new_tokens, **sampling}
    if run.eos_id is not None:
        given["eos_id"] = run.eos_id
    if run.pad_id:
        given["pad_id"] = run.pad_id
    if run.stop:
        given |= {"stop": list(run.stop), "pieces": run.pieces}
    shown = ", ".join(f"{key}={show(value)}" for key, value in given.items() if key != "pieces")
    text = f"generate(model, {show(run.prompts)}, {shown}{', pieces=...' if run.stop else ''}){label and f'  # {label}'}"
    return Case(TASK, group, (Call("generate", (run.model, run.prompts), given),), run, text)


def story(group: str, told: list[tuple[list[int], list[int]]], max_new_tokens: int, label: str = "", *,
          stop: tuple[str, ...] = (), pieces: list[bytes] = PIECES, eos_id: int | None = EOS, pad_id: int = 0) -> Case:
    """A call on a model that knows these (prompt, continuation) by heart."""
    model = fakes.stories(told, len(pieces), LOST)
    run = Loop(model, [list(prompt) for prompt, _ in told], max_new_tokens, eos_id, pad_id, stop, pieces, group != STOPS)
    return loop_case(group, run, label)


def prompts(generator: torch.Generator, lengths: Sequence[int], vocab: int, low: int = 0) -> list[list[int]]:
    return [torch.randint(low, vocab, (n,), generator=generator).tolist() for n in lengths]


def random_ends(generator: torch.Generator, vocab: int, lengths: Sequence[int], most: int, pad_id: int) -> Case:
    """A table model under which some rows reach EOS, at different steps, and some run to the limit."""
    while True:
        seed = int(torch.randint(2**31, (), generator=generator))
        run = Loop(fakes.table(seed, vocab), prompts(generator, lengths, vocab), most, vocab - 1, pad_id)
        rows = reference(run)
        ends = {len(new) for new, why in rows if why == "eos"}
        if len(ends) > 1 and min(ends) < most - 1 and any(why == "length" for _, why in rows):
            return loop_case(ENDS, run)


def stop_cases() -> list[Case]:
    p = [X]
    return [
        story(STOPS, [(p, [A, C, B, X])], 6, stop=("b",)),
        story(STOPS, [(p, [A, BC, X, X])], 6, "spread over two tokens", stop=("abc",)),
        story(STOPS, [(p, [C, A, B, C, X])], 6, "spread over three tokens", stop=("abc",)),
        story(STOPS, [(p, [A, UTF8_1, UTF8_2, C, B, X])], 6, "one character, two tokens", stop=("\u00e9", "cb")),
        story(STOPS, [(p, [B, A, EURO_1, EURO_2, X])], 6, "one character, two tokens", stop=("a\u20ac",)),
        story(STOPS, [([A, BC], [X, A, C, AB, C, X])], 8, "the prompt holds it too", stop=("abc",)),
        story(STOPS, [([X, AB], [C, A, X, C])], 4, "half of it is prompt", stop=("abc",)),
        story(STOPS, [(p, [A, A, A, B, X])], 7, "a a a b holds aab", stop=("aab",)),
        story(STOPS, [(p, [A, XBY, X, X])], 6, "in the middle of a token", stop=("b",)),
        story(STOPS, [(p, [X, C, B, AB, C])], 6, "two strings, the second comes first", stop=("ab", "cb")),
        story(STOPS, [(p, [X, C, B, AB, C])], 6, "two strings, the first comes first", stop=("cb", "ab")),
        story(STOPS, [(p, [A, B, C, X])], 3, "at the last allowed token", stop=("abc",)),
        story(STOPS, [(p, [A, C, B, A])], 4, "it never comes", stop=("abc",)),
        story(STOPS, [(p, [A, EOS, B, C])], 6, "EOS comes first", stop=("bc",)),
        story(STOPS, [(p, [A, EOS, B])], 6, "EOS completes it", stop=("a.",), pieces=[*PIECES[:1], b".", *PIECES[2:]]),
        story(STOPS, [([X, A], [A, B, X, X]), ([B], [X, A, X, BC, A, B, C]), ([C, C, A], [EOS]), ([A], [C, A, A, B, X])], 7,
              "a batch", stop=("ab", "bc")),
    ]


def invalid_cases() -> list[Case]:
    model = fakes.table(1, 8)
    good = {"max_new_tokens": 2}
    cases = [([[1, 2]], {"max_new_tokens": 0}, "0"), ([[1, 2]], {"max_new_tokens": -3}, "-3"),
             ([[1], []], good, "[]"), ([[1]], good | {"stop": ["ab", ""], "pieces": [b"a"] * 8}, "''"),
             ([[1]], good | {"stop": ["xyz"]}, "xyz"), ([[1]], good | {"temperature": 0.75}, "0.75"),
             ([[1]], good | {"temperature": -0.5, "generator": Rng(0)}, "-0.5")]
    return [Case(TASK, INVALID, (Call("generate", (model, batch), given),), Refuse(named)) for batch, given, named in cases]


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(9_000 + seed)

    def number() -> int:
        return int(torch.randint(2**31, (), generator=generator))

    made = [story(GREEDY, [([A, B], [C, X, B, A])], 4, eos_id=None), story(GREEDY, [([X], [C, A])], 1, eos_id=None)]
    for most in (1, 7):
        made.append(loop_case(GREEDY, Loop(fakes.table(number(), 9), prompts(generator, (4,), 9), most)))
    for lengths, pad_id in (((2, 5), 0), ((1, 3, 3, 6), 7), ((4, 4), 3)):
        made.append(loop_case(PADDING, Loop(fakes.table(number(), 9), prompts(generator, lengths, 9), 4, pad_id=pad_id)))
    holding_pad = [[6, 2], [1, 6, 6, 4]]
    made.append(loop_case(PADDING, Loop(fakes.table(number(), 9), holding_pad, 3, pad_id=6), "prompts that hold pad_id"))
    made.append(story(ENDS, [([X], [A, B, EOS, C, C, C])], 6))
    made.append(story(ENDS, [([X], [A, EOS, C]), ([A, B], [C, C, A, EOS, B]), ([C], [B, A, B, C, A])], 5))
    made.append(story(ENDS, [([X], [A, B, EOS])], 3, "EOS as the last allowed token"))
    made.append(story(ENDS, [([X], [EOS, B]), ([C, A], [EOS, A])], 5, "all end at once", pad_id=EOS))
    made.append(story(ENDS, [([X, EOS, A], [B, C, EOS]), ([EOS], [B, C, A, A])], 4, "EOS in the prompt"))
    made.append(random_ends(generator, 7, (2, 5, 1, 3, 4), 8, 0))
    made.append(random_ends(generator, 6, (3, 3, 2, 6), 9, 5))
    return made + stop_cases() + loop_draws.cases(number) + invalid_cases()
