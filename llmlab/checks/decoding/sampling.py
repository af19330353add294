"""Checks of sample: the right distribution, independent rows, and no randomness but the given generator's.

Distributions are tested by Pearson's chi-square on `ROWS` draws from one call. A p-value below `REJECT`
rejects, far below the false-alarm rate that is promised: `tests/checks/test_decoding_sampling.py` computes the
true rate of a two-cell test exactly (2.5e-12), and the power against named wrong samplers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from llmlab.checks.compare import chi_square_p, mutation, raised, show
from llmlab.checks.decoding import rows
from llmlab.checks.decoding.rows import INF, Value, each_row, softmax
from llmlab.checks.protocol import PASS, Call, Case, Event, Output, Raised, Rng, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

ROWS = 20_000
"""Draws for each test of a distribution; even, since neighbours are tested in pairs. So many see that one draw in eight is
uniform, or that the top token comes 15 % too rarely."""

FEWER = 7_000
"""Draws where the question is another: are removed tokens left out, is a wider vocabulary read rightly."""

SMALLEST = 200
"""Every token that can be drawn is expected this often or more: with fewer, chi-square's tail is too thin."""

REJECT = 1e-13
"""A p-value below this rejects. A check makes at most sixteen such tests: they reject a right sampler less
than once in 10**9 checks, also after the error of the chi-square approximation: a factor below 100."""

LIKE = 1e-3
"""Rejected counts whose p-value under a wrong distribution is above this are said to come from it."""

FITS, APART = "the right distribution", "a draw for every row"
SEEDS, SHAPES = "only the given generator", "shapes and -inf"

TASKS = (
    Task("decoding.sample", "lab1", "draw a token for every row with probabilities softmax(logits)", {
        FITS: 2, APART: 1, SEEDS: 1, SHAPES: 1}, "part1/sampling.html#sec-sampling"),
)


@dataclass(frozen=True, eq=False)
class Blocks:
    """One call on blocks of equal rows; block i must follow softmax(logits[i]), each row on its own."""

    logits: torch.Tensor  # (blocks, V)
    pairs: bool = False  # the call had shape (N, 2, V): also test the two tokens of a pair together


@dataclass(frozen=True, eq=False)
class Seeds:
    """Three calls on the same logits, seeds a, b, a: the first and the third must agree, the second not."""

    logits: torch.Tensor  # (N, V)


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Judge by `case.expect`: `Blocks`, `Seeds`, or a `Value` where only one outcome is possible."""
    if isinstance(case.expect, Value):
        return rows.judge(case, outputs, events)
    for output in outputs:
        if isinstance(output, Raised):
            return raised(output)
    batch = case.steps[0].args[0]
    tokens = []
    for output in outputs:
        verdict = ids_of(output.value, batch)
        if not verdict.ok:
            return verdict
        tokens.append(output.value.long())
    if isinstance(case.expect, Blocks):
        verdict = blocks(case.expect, tokens[0])
    else:
        verdict = seeds(case.expect, tokens)
        if verdict.ok and outputs[0].random:
            verdict = Verdict(False, "torch's global random numbers were used or seeded: draw from `generator` alone, with "
                              "torch.rand(..., generator=generator).", misconception="disturbs-global-random-state")
    return verdict if not verdict.ok else mutation(outputs[0])


def ids_of(got, logits: torch.Tensor) -> Verdict:
    """Fails unless `got` holds one id in 0..V-1 for every row of the logits (..., V)."""
    shape, vocab = tuple(logits.shape[:-1]), logits.shape[-1]
    want = f"int64 ids of shape {shape}, from 0 to {vocab - 1}"
    if not isinstance(got, torch.Tensor):
        return Verdict(False, f"Expected a tensor of ids, got {type(got).__name__}.", want, show(got))
    if tuple(got.shape) == (*shape, 1):
        return Verdict(False, "The last dimension is still there, with length 1: drop it.", want, show(got),
                       "keeps-dimension")
    if tuple(got.shape) != shape:
        return Verdict(False, f"Expected shape {shape}, one token for every row, got {tuple(got.shape)}.",
                       want, show(got))
    if got.is_floating_point() or got.dtype == torch.bool:
        return Verdict(False, f"Token ids are integers, got {got.dtype}.", want, show(got), "returns-no-ids")
    if int(got.min()) < 0 or int(got.max()) >= vocab:
        return Verdict(False, f"Ids from {int(got.min())} to {int(got.max())} came back.", want, show(got),
                       "id-out-of-range")
    return PASS


def wrong_laws(logits: torch.Tensor) -> list[tuple[str, torch.Tensor, str]]:
    """The distributions (V,) that known mistakes sample from."""
    z = logits.double()
    probs, possible = z.softmax(0), (z > -INF).double()
    clipped = z.clamp(min=0.0)
    laws = [
        ("uniform-over-kept", possible / possible.sum(),
         "All tokens that are not removed were drawn equally often: use their "
         "probabilities."),
        ("ignores-removed", torch.full_like(z, 1 / len(z)),
         "All tokens were drawn equally often, even the removed ones."),
        ("softmax-twice", probs.softmax(0), "That is softmax of the probabilities: softmax was taken twice."),
        ("returns-rank", probs.sort(descending=True).values,
         "The position in sorted order came back: turn it into the id "
         "with the sort's indices."),
        ("shifted-by-one", probs.roll(1),
         "Every id is one too large: take the first token whose cumulative sum exceeds u."),
        ("shifted-by-one", probs.roll(-1),
         "Every id is one too small: take the first token whose cumulative sum exceeds u."),
        ("shifted-by-one", torch.cat([probs[:1] * 0, probs[:-2], probs[-2:].sum(0, keepdim=True)]),
         "Every id is one too large: take the first token whose cumulative sum exceeds u."),
        ("logits-as-probabilities", clipped / clipped.sum(),
         "The logits were taken as probabilities: use softmax first."),
        ("reversed", z.neg().nan_to_num(neginf=-INF, posinf=-INF).softmax(0),
         "Unlikely tokens were drawn most: look for a "
         "wrong sign."),
    ]
    return [(name, law, words) for name, law, words in laws if bool(law.isfinite().all())]


def blocks(expect: Blocks, tokens: torch.Tensor) -> Verdict:
    """Judge one call on blocks of equal rows."""
    vocab = expect.logits.shape[-1]
    several = tokens.reshape(len(expect.logits), -1)
    tops = expect.logits.argmax(-1, keepdim=True)
    if bool((several == tops).all()):
        return Verdict(False, "Every row got its most likely token: that is greedy decoding, not sampling.",
                       misconception="argmax-instead-of-sampling")
    if bool((several == several[:, :1]).all()):
        return Verdict(False,
                       f"All {several.shape[1]} equal rows got one token: every row needs a draw of its own.",
                       misconception="one-draw-for-all-rows")
    for logits, drawn in zip(expect.logits, several, strict=True):
        verdict = fits(logits, torch.bincount(drawn, minlength=vocab))
        if not verdict.ok:
            return verdict
        verdict = apart(logits.double().softmax(0), drawn, expect.pairs)
        if not verdict.ok:
            return verdict
    return PASS


def fits(logits: torch.Tensor, counts: torch.Tensor) -> Verdict:
    """Chi-square of the counts (V,) against softmax(logits); tells the worst token, and a known mistake."""
    probs = logits.double().softmax(0)
    p_value = chi_square_p(counts, probs)
    if p_value >= REJECT:
        return PASS
    total = int(counts.sum())
    expected = probs * total
    worst = int(((counts - expected) ** 2 / expected.clamp(min=1e-9)).argmax())
    said = (f"Token {worst} has probability {float(probs[worst]):.4f}, so about "
            f"{float(expected[worst]):.0f} of {total} draws, "
            f"but was drawn {int(counts[worst])} times (chi-square p = {p_value:.1g})")
    for name, law, words in wrong_laws(logits):
        if chi_square_p(counts, law) > LIKE:
            return Verdict(False, f"{words} {said}", show(expected.round()), show(counts), name)
    impossible = int(counts[probs == 0].sum())
    if impossible:
        return Verdict(False, f"Tokens of probability 0 were drawn {impossible} times in {total}.",
                       show(expected.round()),
                       show(counts), "draws-removed-token")
    return Verdict(False, f"{said}.", show(expected.round()), show(counts))


def apart(probs: torch.Tensor, tokens: torch.Tensor, pairs: bool) -> Verdict:
    """Chi-square of neighbouring tokens against the product of their probabilities: are rows independent?"""
    vocab = len(probs)
    joint = (probs[:, None] * probs).flatten()
    codes = tokens.reshape(-1, 2) @ torch.tensor([vocab, 1])
    if float(joint[joint > 0].min()) * len(codes) < SMALLEST:
        return PASS  # too many kinds of pairs for this many rows; the cases of APART have fewer tokens
    p_value = chi_square_p(torch.bincount(codes, minlength=vocab**2), joint)
    if p_value >= REJECT:
        return PASS
    where = "The two tokens of a pair of rows" if pairs else "Neighbouring rows"
    return Verdict(False,
                   f"{where} depend on each other (chi-square p = {p_value:.1g}): draw for every row anew.",
                   misconception="one-draw-for-all-rows")


def seeds(expect: Seeds, tokens: list[torch.Tensor]) -> Verdict:
    """Judge three calls with the seeds a, b, a."""
    first, other, again = tokens
    if bool((first == expect.logits.argmax(-1)).all()):
        return Verdict(False, "Every row got its most likely token: that is greedy decoding, not sampling.",
                       misconception="argmax-instead-of-sampling")
    if not torch.equal(first, again):
        return Verdict(False,
                       "The same seed gave other tokens the second time: the draw did not come from "
                       "`generator` alone. "
                       "Give it to every random function, as in torch.rand(..., generator=generator).",
                       show(first), show(again),
                       "ignores-generator")
    if torch.equal(first, other):
        return Verdict(False,
                       "Generators with different seeds gave the same tokens: use the state that "
                       "`generator` is in, and "
                       "do not seed anything.", "other tokens", show(other), "same-draws-for-every-seed")
    return PASS


def drawable(row: list[float]) -> bool:
    """True if every token is expected `SMALLEST` times in `FEWER` draws, and the row is far from uniform."""
    probs = softmax(row)
    return min(probs) * FEWER >= 1.05 * SMALLEST and max(probs) > 2 / len(row)


def two_blocks(generator: torch.Generator, vocab: int,
               fits_row: Callable[[list[float]], bool]) -> torch.Tensor:
    """Logits (2, V) whose rows fit, with the most likely token first in one and last in the other.

    Both have less than half of the mass, so no single number u picks both by inverse CDF: one draw shared by
    all rows cannot pass for greedy decoding.
    """
    logits = rows.draw(generator, (2, vocab), lambda row: fits_row(row) and max(softmax(row)) < 0.5,
                       scale=1.0)
    top = logits.argmax(-1).tolist()
    logits[0] = logits[0].roll(-top[0])
    logits[1] = logits[1].roll(vocab - 1 - top[1])
    return logits


def blocks_case(group: str, logits: torch.Tensor, seed: int, *, pairs: bool = False,
                count: int = ROWS) -> Case:
    """One call on `count` rows for each row of `logits` (blocks, V)."""
    batch = logits.repeat_interleave(count, dim=0)
    if pairs:
        batch = batch.reshape(-1, 2, logits.shape[-1])
    text = f"sample(logits, generator), logits {show(batch)}: {len(logits)} laws, {count} rows of each"
    return Case("decoding.sample", group, (Call("sample", (batch, Rng(seed))),), Blocks(logits, pairs), text)


def certain_case(logits: torch.Tensor, seed: int) -> Case:
    """Logits of which every row has one token that can be drawn."""
    right = torch.tensor([row.index(max(row)) for row in rows.row_lists(logits)]).reshape(logits.shape[:-1])
    dropped = ("keeps-dimension", lambda: right.unsqueeze(-1),
               "The last dimension is still there, with length 1: drop it.")
    return Case("decoding.sample", SHAPES, (Call("sample", (logits, Rng(seed))),), Value(right, [dropped]))


def seeds_case(logits: torch.Tensor, a: int, b: int) -> Case:
    """Three calls with the seeds a, b, a on logits (N, V)."""
    steps = tuple(Call("sample", (logits, Rng(seed))) for seed in (a, b, a))
    return Case("decoding.sample", SEEDS, steps, Seeds(logits),
                f"sample(logits, generator) three times, with seeds {a}, {b}, "
                f"{a} and logits {show(logits)}")


def one_possible(generator: torch.Generator, shape: tuple[int, ...],
                 dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Random logits with -inf everywhere but at one place of every row."""
    logits = torch.randn(shape, generator=generator)
    place = torch.randint(shape[-1], shape[:-1], generator=generator).unsqueeze(-1)
    only = torch.full(shape, -INF).scatter(-1, place, logits)
    return only.to(dtype)


def with_holes(logits: torch.Tensor) -> torch.Tensor:
    """(B, V) -> (B, 2V): the logits at the even places, -inf at the odd ones."""
    return torch.stack([logits, torch.full_like(logits, -INF)], dim=-1).reshape(len(logits), -1)


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(4_000 + seed)

    def three(row: list[float]) -> bool:
        probs = softmax(row)
        return 0.19 < min(probs) and 0.38 < max(probs)

    def rng() -> int:
        return int(torch.randint(2**31, (), generator=generator))

    few = two_blocks(generator, 3, three)
    return [
        blocks_case(FITS, two_blocks(generator, 8, drawable), rng()),
        blocks_case(FITS, with_holes(two_blocks(generator, 5, drawable)), rng(), count=FEWER),
        blocks_case(APART, few, rng(), count=ROWS * 3 // 5),
        blocks_case(APART, few, rng(), pairs=True, count=ROWS * 3 // 5),
        seeds_case(torch.randn(64, 8, generator=generator), rng(), rng()),
        certain_case(one_possible(generator, (5,)), rng()),
        certain_case(one_possible(generator, (2, 3, 4), torch.float64), rng()),
        certain_case(one_possible(generator, (6, 9), torch.bfloat16), rng()),
        certain_case(one_possible(generator, (4, 1)), rng()),
    ]
