"""Checks of ModelDraft: what is drafted from which distribution, along a story of acceptances and rejections.

The oracle asks the world for the draft's law after each whole text. `Cached` keeps tokens as a session
does, so that a forgotten rollback leads to the same wrong answers as in a student's code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llmlab.checks.compare import difference, mutation, show, value_of
from llmlab.checks.protocol import PASS, Case, Do, Event, New, Output, Task, Verdict
from llmlab.checks.speculative import worlds
from llmlab.checks.speculative.processed import PLAIN, Settings, clear
from llmlab.checks.speculative.worlds import Row, World, pick

__all__ = ["TASKS", "cases", "judge"]

TASK = "speculative.ModelDraft"
FIRST, ROLLBACK, SETTINGS = (
    "tokens and what they were drawn from",
    "after rejections and full acceptances",
    "temperature and truncation",
)
TASKS = (
    Task(
        TASK,
        "lab5",
        "draft tokens with a smaller model and its cache",
        {FIRST: 2, ROLLBACK: 3, SETTINGS: 1},
        "part4/drafts.html#sec-model-draft",
    ),
)
TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Story:
    """Calls of propose: texts and uniform numbers of each."""

    world: World
    texts: tuple[list[list[int]], ...]
    uniforms: tuple[Tensor, ...]
    settings: Settings


@dataclass(frozen=True)
class Rules:
    """How a draft may go wrong."""

    cut: str = "right"  # how much of the cache is kept: "right", "all", "one more"
    feeds: str = "missing"  # what is fed first: "missing", or "last": the last token alone
    settings: int = 4  # how many of the four have an effect
    reported: str = "drawn"  # the q that is returned: "drawn", or "raw", without the settings
    choice: str = "draw"  # "draw", "argmax", or "same number" for all places


RULES: dict[str, tuple[Rules, str]] = {
    "skips-the-last-draft": (
        Rules(feeds="last"),
        "After a full acceptance only the text's last token was fed. The last drafted "
        "token is not in the cache either: feed everything that is missing.",
    ),
    "rollback-forgotten": (
        Rules(cut="all", feeds="last"),
        "Rejected tokens stayed in the draft's cache: cut it back to what is in the text.",
    ),
    "rollback-one-too-many": (
        Rules(cut="one more"),
        "One token too many was kept: the text's last token is never in the cache, "
        "a rejected one may stand in its place.",
    ),
    "ignores-settings": (Rules(settings=0), "The settings had no effect on the draft."),
    "draft-not-truncated": (
        Rules(settings=1),
        "top_k, top_p and min_p had no effect on the draft. Both sides go through them.",
    ),
    "draft-ignores-top-p-and-min-p": (
        Rules(settings=2),
        "top_p and min_p had no effect on the draft. Both sides go through them.",
    ),
    "reports-another-q": (
        Rules(reported="raw"),
        "q is not what the tokens were drawn from: the settings are missing in "
        "it. The acceptance rule divides by this q.",
    ),
    "argmax-with-a-soft-q": (
        Rules(choice="argmax"),
        "The most likely token was drafted, but q says that it was drawn. Draw, "
        "or return a q that is 1 there.",
    ),
    "one-draw-for-all-places": (
        Rules(choice="same number"),
        "All places used the first uniform number. Each has its own.",
    ),
}


def proposed(story: Story, rules: Rules | None = None) -> list[tuple[Tensor, Tensor]]:
    """(drafted, q) of every call. Without rules the oracle, which has no cache; with rules, a cache."""
    world, settings, told = story.world, story.settings, []
    caches: list[list[int]] = [[] for _ in story.texts[0]]
    for texts, uniforms in zip(story.texts, story.uniforms, strict=True):
        tokens, laws = [], []
        for row, cache, numbers in zip(texts, caches, uniforms.tolist(), strict=True):
            if rules is None:
                context, new = list(row[:-1]), row[-1:]
            else:
                keep = {"right": len(row) - 1, "one more": len(row), "all": len(cache)}[rules.cut]
                context = cache[:keep]
                missing = row[len(context) :] or row[-1:]
                new = missing if rules.feeds == "missing" or not context else row[-1:]
            used = Settings(*settings[: rules.settings]) if rules else settings
            drafted, reported = [], []
            for number in numbers:
                context = [*context, *new]
                law = world.law(tuple(context), used, draft=True)
                reported.append(
                    law
                    if rules is None or rules.reported == "drawn"
                    else world.law(tuple(context), draft=True)
                )
                choice = rules.choice if rules else "draw"
                new = [
                    law.index(max(law))
                    if choice == "argmax"
                    else pick(law, numbers[0] if choice == "same number" else number)
                ]
                drafted += new
            cache[:] = context
            tokens.append(drafted)
            laws.append(reported)
        told.append((torch.tensor(tokens), torch.tensor(laws, dtype=torch.float32)))
    return told


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Every proposal in turn, then what it cost."""
    story, right = case.expect, proposed(case.expect)
    got: list[tuple[Tensor, Tensor]] = []
    for number, output in enumerate(outputs):
        value, bad = value_of(output)
        if bad:
            return bad
        if number:
            pair = formed(value, right[number - 1])
            if isinstance(pair, Verdict):
                return pair
            got.append(pair)
    for number, (want, pair) in enumerate(zip(right, got, strict=False)):
        said = differs(want, pair)
        if said:
            return named(story, right, got[: number + 1], said)
    for output in outputs[1:]:
        if not mutation(output).ok:
            return mutation(output)
    return cost(story, events)


def formed(value: object, want: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor] | Verdict:
    """A proposal in its right form, or what is wrong with it."""
    shape = f"(drafted {tuple(want[0].shape)} int64, q {tuple(want[1].shape)})"
    if (
        not isinstance(value, tuple | list)
        or len(value) != 2
        or not all(isinstance(x, Tensor) for x in value)
    ):
        return Verdict(False, f"propose returns two tensors, {shape}.", shape, show(value))
    drafted, q = value
    if (
        drafted.shape != want[0].shape
        or q.shape != want[1].shape
        or drafted.is_floating_point()
        or not q.is_floating_point()
    ):
        return Verdict(False, f"The tensors should be {shape}.", shape, f"{show(drafted)}, {show(q)}")
    return drafted.long(), q.float()


def differs(want: tuple[Tensor, Tensor], got: tuple[Tensor, Tensor]) -> str:
    """How a proposal differs, or nothing."""
    said = difference(want[1], got[1], TOLERANCE)
    return (
        f"q: {said}"
        if said
        else ""
        if torch.equal(want[0], got[0])
        else f"drafted: expected {want[0].tolist()}, got {got[0].tolist()}"
    )


def named(story: Story, right: list, got: list, said: str) -> Verdict:
    """The verdict on a wrong proposal: the last one in `got`."""
    number = len(got)
    shown = show(right[number - 1][0]), show(got[-1][0])
    for name, (rules, words) in RULES.items():
        told = proposed(story, rules)
        if not any(differs(a, b) for a, b in zip(told, got, strict=False)):
            return Verdict(False, f"{words} (call {number}, {said})", *shown, name)
    if torch.equal(right[number - 1][0], got[-1][0]) and bool((got[-1][1].sum(-1) - 1).abs().max() > 1e-3):
        return Verdict(
            False, f"The rows of q do not sum to 1 (call {number}, {said}).", *shown, "q-not-a-distribution"
        )
    return Verdict(False, f"Call {number} of propose: {said}.", *shown)


def cost(story: Story, events: Sequence[Event]) -> Verdict:
    """gamma passes for each call (one more is allowed), and each token fed about once."""
    feeds = [
        event.data["value"]
        for event in events
        if event.data.get("method") == "feed" and "value" in event.data
    ]
    fed = [
        worlds.lists(event.data["args"][0] if event.data["args"] else event.data["kwargs"]["rows"], "rows")
        for event in events
        if event.data.get("method") == "feed" and "value" in event.data
    ]
    tokens = sum(len(row) for rows in fed for row in rows)
    batch, calls = len(story.texts[0]), len(story.texts)
    passes = sum(u.shape[1] for u in story.uniforms)
    most = sum(map(len, story.texts[-1])) + batch * (passes + 2 * calls)
    if len(feeds) > passes + calls:
        return Verdict(
            False,
            f"The result is right, but the draft ran {len(feeds)} passes for {passes} tokens a sequence.",
            f"{passes} passes",
            f"{len(feeds)} passes",
            "too-many-passes",
        )
    if tokens > most:
        return Verdict(
            False,
            f"The result is right, but {tokens} tokens went through the draft where at most {most} are "
            "needed: keep what the cache holds and feed the rest.",
            f"<= {most} tokens",
            f"{tokens} tokens",
            "recomputes-everything",
        )
    return PASS


def distinct(row: Row, used: list[int]) -> int:
    """The likeliest token that is none of these."""
    return max((t for t in range(len(row)) if t not in used), key=lambda t: row[t])


def story_case(
    group: str,
    seed: int,
    lengths: Sequence[int],
    gammas: Sequence[int],
    accepted: Sequence[Sequence[int]],
    settings: Settings = PLAIN,
    vocab: int = 9,
) -> Case:
    """A story of proposals; after call i, row b keeps accepted[i][b] drafted tokens, and one more follows."""
    world = worlds.smooth(seed, vocab)
    generator = torch.Generator().manual_seed(seed)
    texts = [torch.randint(vocab, (n,), generator=generator).tolist() for n in lengths]
    told: list[list[list[int]]] = []
    numbers: list[Tensor] = []
    for i, gamma in enumerate(gammas):
        told.append(texts)
        while True:  # numbers far from every threshold, that lead elsewhere without the settings
            uniforms = torch.rand(len(texts), gamma, generator=generator, dtype=torch.float64)
            laws = [
                proposed(Story(world, (texts,), (moved,), settings))[0][0]
                for moved in ((uniforms - 1e-3).clamp(0), uniforms, (uniforms + 1e-3).clamp(max=1 - 1e-9))
            ]
            raw = proposed(Story(world, (texts,), (uniforms,), PLAIN))[0][0]
            if (
                torch.equal(laws[0], laws[1])
                and torch.equal(laws[1], laws[2])
                and all(clear(world.draft((*text, *row)), settings)
                        for text, tokens in zip(texts, laws[1].tolist(), strict=True)
                        for row in (tokens[:n] for n in range(gamma)))
                and not (settings != PLAIN and torch.equal(raw, laws[1]))
            ):
                break
        numbers.append(uniforms)
        if i + 1 < len(gammas):
            grown = []
            for row, tokens, keep in zip(texts, laws[1].tolist(), accepted[i], strict=True):
                text = [*row, *tokens[:keep]]
                grown.append([*text, distinct(world.target(tuple(text)), tokens[keep : keep + 1])])
            texts = grown
    story = Story(world, tuple(told), tuple(numbers), settings)
    given = (
        worlds.session("draft", world, len(lengths), draft=True),
        *settings.given(),
    )
    steps = (
        New("draft", "ModelDraft", given),
        *(Do("draft", "propose", pair) for pair in zip(told, numbers, strict=True)),
    )
    kept = (
        "; then kept " + ", ".join(str(list(row)) for row in accepted[: len(gammas) - 1])
        if len(gammas) > 1
        else ""
    )
    return Case(
        TASK,
        group,
        steps,
        story,
        f"ModelDraft{('session', *settings.given())}.propose on texts of "
        f"{list(lengths)} tokens, gamma {list(gammas)}{kept}",
    )


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    at = 54_000 + 10 * seed
    return [
        story_case(FIRST, at, (4,), (3,), ()),
        story_case(FIRST, at + 1, (3, 5, 1), (4,), ()),
        story_case(ROLLBACK, at + 2, (4,), (4, 4, 3), ((1,), (0,))),
        story_case(ROLLBACK, at + 3, (4,), (3, 3, 2), ((3,), (3,))),
        story_case(ROLLBACK, at + 4, (3, 3, 5), (3, 3, 3), ((3, 0, 2), (1, 3, 0))),
        story_case(SETTINGS, at + 5, (3, 4), (3, 2), ((1, 2),), Settings(0.6, 4)),
        story_case(SETTINGS, at + 7, (3, 4), (3,), (), Settings(0.8, 6, 0.8, 0.1)),
        story_case(SETTINGS, at + 6, (3,), (3,), (), Settings(0.0)),
    ]
