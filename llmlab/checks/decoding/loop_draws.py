"""Checks of generate above temperature 0: the distribution of what it draws, and where its randomness comes from.

One call has hundreds of equal prompts, so its tokens are draws from one distribution. They are rejected by a bound that holds
for so few draws too (`compare.types_p`, at the check of `sample`'s REJECT), and the laws are chosen such that it sees the mistakes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from llmlab.checks.compare import chi_square_p, divergence, log_types, mutation, raised, show, types_p
from llmlab.checks.decoding import fakes
from llmlab.checks.decoding.sampling import LIKE, REJECT
from llmlab.checks.protocol import PASS, Call, Case, Event, Model, Output, Raised, Rng, Verdict

GROUP = "sampling"
ROWS, FEWER = 800, 400
"""Draws of a case; fewer where the wrong laws are far from the right one."""
VOCAB = 7
SPARE = 50.0
"""Nats by which draws from a wrong law lie beyond what rejects, on average: four standard deviations or more."""
NAMED = 60.0
"""What a wrong law adds to chi-square against another: enough to call the mistake by its own name (p > LIKE)."""

Row = list[float]


@dataclass(frozen=True, eq=False)
class Draws:
    """All rows have the same prompt; the tokens of a row, taken together, must follow `right` (V ** steps,)."""

    right: torch.Tensor
    wrong: Sequence[tuple[str, torch.Tensor, str]]
    steps: int


@dataclass(frozen=True)
class SameSeed:
    """Three calls with the seeds a, b, a: the first and the third agree, the second does not."""

    rows: int


def heated(probs: torch.Tensor, temperature: float) -> torch.Tensor:
    """Probabilities (V,) at another temperature: p ** (1 / T), normalised."""
    powers = torch.tensor([q ** (1 / temperature) if q > 0 else 0.0 for q in probs.tolist()], dtype=torch.float64)
    return powers / powers.sum()


def best(probs: torch.Tensor, k: int | None) -> torch.Tensor:
    """Only the k largest, normalised; all if k is None."""
    kept = sorted(range(len(probs)), key=lambda i: -float(probs[i]))[:k]
    cut = torch.zeros_like(probs)
    cut[kept] = probs[kept]
    return cut / cut.sum()


def nucleus(probs: torch.Tensor, p: float | None) -> torch.Tensor:
    """Only the most likely ones up to mass p, normalised; all if p is None."""
    if p is None:
        return probs
    cut, mass = torch.zeros_like(probs), 0.0
    for i in sorted(range(len(probs)), key=lambda i: -float(probs[i])):
        if mass >= p:
            break
        cut[i], mass = probs[i], mass + float(probs[i])
    return cut / cut.sum()


def law(probs: torch.Tensor, t: float, k: int | None, p: float | None) -> torch.Tensor:
    """The oracle: temperature, then top-k, then top-p."""
    return nucleus(best(heated(probs, t), k), p)


def wrong_laws(probs: torch.Tensor, t: float, k: int | None, p: float | None) -> list[tuple[str, torch.Tensor, str]]:
    """What comes out when a step is left out, or done in another order."""
    late = "Temperature was applied after the truncation. It goes first: it decides how many tokens make up the mass p."
    return [
        ("truncates-before-temperature", heated(nucleus(best(probs, k), p), t), late),
        ("top-p-before-top-k", best(nucleus(heated(probs, t), p), k),
         "Top-p was applied before top-k. Top-k goes first, and the mass p is that of what it leaves."),
        ("truncates-before-temperature", best(heated(nucleus(probs, p), t), k), late),
        ("ignores-temperature", law(probs, 1.0, k, p), "The temperature had no effect."),
        ("multiplies-by-temperature", law(probs, 1 / t, k, p), "The logits were multiplied by the temperature: divide."),
        ("generate-ignores-k", law(probs, t, None, p), "k had no effect."),
        ("generate-ignores-p", law(probs, t, k, None), "p had no effect."),
        ("generate-ignores-k-and-p", heated(probs, t), "k and p had no effect."),
        ("ignores-all-settings", probs, "Temperature, k and p had no effect."),
    ]


def draw_logits(number: Callable[[], int], t: float, k: int | None, p: float | None, rows: int) -> torch.Tensor:
    """Logits (V,) that tell every wrong law from the right one, with no cut near a threshold."""
    generator = torch.Generator().manual_seed(number())
    while True:
        logits = torch.randn(VOCAB, generator=generator) * 1.2
        probs = logits.double().softmax(0)
        right = law(probs, t, k, p)
        if int((right > 0).sum()) < 2:
            continue
        wrong = wrong_laws(probs, t, k, p)
        told = {name: other for name, other, _ in reversed(wrong) if name in needed(t, k, p)}
        if _near(best(heated(probs, t), k), p):
            continue
        seen = all(seen_in(other, right, rows) for other in told.values())
        seen = seen and all(int((other > 0).sum()) > 1 for other in told.values())
        if seen and all(distance(a, b) * rows > NAMED for a, b in itertools.permutations(told.values(), 2)):
            return logits


def needed(t: float, k: int | None, p: float | None) -> set[str]:
    """The mistakes that a case with these settings must be able to name."""
    if p:
        return {"truncates-before-temperature", "top-p-before-top-k" if k else "generate-ignores-p"}
    return {"ignores-temperature", "multiplies-by-temperature", *(["generate-ignores-k"] if k else [])}


def seen_in(wrong: torch.Tensor, right: torch.Tensor, rows: int) -> bool:
    """True if so many draws from `wrong` are rejected as draws from `right`, with SPARE to spare."""
    allowed = wrong * (right > 0)
    if float(wrong.sum() - allowed.sum()) * rows > SPARE:  # a token that `right` rules out comes all but surely
        return True
    limit = log_types(rows, int((right > 0).sum())) - math.log(REJECT)
    return rows * divergence(allowed / allowed.sum(), right) > limit + SPARE


def distance(wrong: torch.Tensor, right: torch.Tensor) -> float:
    """What one draw from `wrong` adds to chi-square against `right`, on average: sum (w - r)^2 / r; may be inf."""
    apart = (wrong - right).abs()
    return float((apart ** 2 / right)[apart > 1e-9].sum())


def _near(probs: torch.Tensor, p: float | None) -> bool:
    sums = probs.sort(descending=True).values.cumsum(0)
    return p is not None and float((sums - p).abs().min()) < 1e-3


def draws_case(number: Callable[[], int], t: float, k: int | None = None, p: float | None = None, rows: int = ROWS) -> Case:
    """One new token for each of so many equal prompts."""
    logits = draw_logits(number, t, k, p, rows)
    probs = logits.double().softmax(0)
    model = fakes.fixed({2: logits}, VOCAB)
    expect = Draws(law(probs, t, k, p), wrong_laws(probs, t, k, p), 1)
    return _call(model, 1, expect, {"temperature": t, "k": k, "p": p}, number(), rows)


def pairs_case(number: Callable[[], int], t: float) -> Case:
    """Two new tokens a row, k = 2: the second depends on the first, and is a draw of its own."""
    generator = torch.Generator().manual_seed(number())
    laws, joint = {}, torch.zeros(VOCAB, VOCAB, dtype=torch.float64)
    while float(joint[joint > 0].min() if bool((joint > 0).any()) else 0) < 0.1:
        laws = {token: torch.randn(VOCAB, generator=generator) for token in range(VOCAB)}
        second = torch.stack([law(laws[token].double().softmax(0), t, 2, None) for token in range(VOCAB)])
        joint = second[2].unsqueeze(1) * second
    return _call(fakes.fixed(laws, VOCAB), 2, Draws(joint.flatten(), (), 2), {"temperature": t, "k": 2, "p": None}, number(), FEWER)


def _call(model: Model, steps: int, expect, settings: dict, seed: int, rows: int) -> Case:
    given = {key: value for key, value in settings.items() if value is not None}
    shown = ", ".join(f"{key}={value}" for key, value in given.items())
    call = Call("generate", (model, [[1, 2]] * rows), {"max_new_tokens": steps, "generator": Rng(seed), **given})
    return Case("decoding.generate", GROUP, (call,), expect,
                f"generate(model, [[1, 2]] * {rows}, max_new_tokens={steps}, {shown}, generator=...)")


def seeds_case(number: Callable[[], int]) -> Case:
    """The same call with the seeds a, b, a."""
    model, a, b = fakes.table(number(), VOCAB, scale=1.0), number(), number()
    steps = tuple(Call("generate", (model, [[1, 2]] * 40), {"max_new_tokens": 3, "temperature": 1.0, "generator": Rng(seed)})
                  for seed in (a, b, a))
    return Case("decoding.generate", GROUP, steps, SameSeed(40),
                "generate(model, [[1, 2]] * 40, max_new_tokens=3, temperature=1.0, generator=...) with three generators")


def cases(number: Callable[[], int]) -> list[Case]:
    """Cases of the group; `number()` gives seeds."""
    return [draws_case(number, 1.5, 4, 0.6, FEWER), draws_case(number, 2.0),
            draws_case(number, 0.5, k=3), draws_case(number, 1.6, p=0.6, rows=FEWER), pairs_case(number, 1.3), seeds_case(number)]


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event], read: Callable) -> Verdict:
    """Judge `Draws` or `SameSeed`; `read` turns a result into plain rows."""
    rows = len(case.steps[0].args[1])
    results = []
    for output in outputs:
        if isinstance(output, Raised):
            return _alone(events, rows) or raised(output)
        got, form = read(output.value, rows)
        if form:
            return Verdict(False, f"The result has another form: {form}.", got=show(output.value))
        results.append([tokens for tokens, _ in got])
    verdict = seeds(results) if isinstance(case.expect, SameSeed) else drawn(case.expect, results[0])
    return verdict if not verdict.ok else mutation(outputs[0])


def _alone(events: Sequence[Event], rows: int) -> Verdict | None:
    """Names the mistake if the model was asked about one row at a time, and so too often."""
    calls = [len(event.data["ids"]) for event in events]
    if len(calls) > 1 and set(calls) == {1}:
        return Verdict(False, f"The model was called {len(calls)} times on one row each, with {rows} prompts given: feed all rows in "
                       "one batch.", misconception="one-row-at-a-time")
    return None


def drawn(expect: Draws, tokens: list[list[int]]) -> Verdict:
    """The rows against the right law; the mistake is named if the counts fit its law instead."""
    bad = Verdict(False, f"Every row should have {expect.steps} new token(s) in 0..{VOCAB - 1}.", got=show(tokens[0]))
    if set(map(len, tokens)) != {expect.steps}:
        return bad
    try:
        drawn = torch.tensor(tokens, dtype=torch.int64)  # (rows, steps)
    except (RuntimeError, OverflowError):  # an id of more than 64 bits
        return bad
    if int(drawn.min()) < 0 or int(drawn.max()) >= VOCAB:
        return bad
    codes = (drawn * VOCAB ** torch.arange(expect.steps - 1, -1, -1)).sum(1)
    counts = torch.bincount(codes, minlength=VOCAB**expect.steps)
    p_value = types_p(counts, expect.right)
    if p_value >= REJECT:
        return PASS
    wanted, got = show((expect.right * len(tokens)).round()), show(counts)
    said = f"(p < {p_value:.1g} over {len(tokens)} rows)"
    if bool((codes == codes[0]).all()):
        if int(codes[0]) == int(expect.right.argmax()):
            return Verdict(False, f"Every row got the most likely tokens: above temperature 0, draw. {said}", wanted, got,
                           "argmax-instead-of-sampling")
        return Verdict(False, f"All rows got the same token: every row needs a draw of its own. {said}", wanted, got,
                       "one-draw-for-all-rows")
    for name, other, words in expect.wrong:
        if chi_square_p(counts, other) > LIKE:
            return Verdict(False, f"{words} {said}", wanted, got, name)
    return Verdict(False, f"The tokens do not follow the distribution that was asked for {said}.", wanted, got)


def seeds(results: list[list[list[int]]]) -> Verdict:
    first, other, again = results
    if first != again:
        return Verdict(False, "The same seed gave other tokens the second time: draw from the given generator only.",
                       show(first[:4]), show(again[:4]), "ignores-generator")
    if first == other:
        return Verdict(False, "Generators with different seeds gave the same tokens: draw from the generator, and do not seed "
                       "it.", "other tokens", show(other[:4]), "same-draws-for-every-seed")
    return PASS
