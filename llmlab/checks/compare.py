"""Comparing a student's value with the expected one, and saying how they differ. Also the chi-square test.

Nothing here knows a topic: the misconceptions are the check's business, passed in as `wrong`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from llmlab.checks.protocol import PASS, Case, Output, Raised, Returned, Verdict

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 2e-2}
"""Relative and absolute tolerance, by the least precise floating dtype involved: about 100 rounding steps of each."""

FALSE_ALARM = 1e-9
"""Chance that a right sampler fails a chi-square test here."""


def show(value: Any, limit: int = 8) -> str:
    """A short rendering: shape and dtype for tensors, the first `limit` numbers, plain repr for the rest.

    >>> show(torch.tensor([1.0, 2.5]))
    'tensor (2,) float32 [1, 2.5]'
    """
    if isinstance(value, torch.Tensor):
        numbers = value.detach().reshape(-1)[:limit].tolist()
        listed = ", ".join(_number(x) for x in numbers)
        more = ", ..." if value.numel() > limit else ""
        return f"tensor {tuple(value.shape)} {str(value.dtype).removeprefix('torch.')} [{listed}{more}]"
    text = repr(value)
    return text if len(text) <= 300 else text[:297] + "..."


def _number(x) -> str:
    return f"{x:.6g}" if isinstance(x, float) else str(x)


def value_of(output: Output) -> tuple[Any, Verdict | None]:
    """The returned value, or the verdict that says what was raised instead."""
    if isinstance(output, Returned):
        return output.value, None
    return None, raised(output)


def raised(output: Raised) -> Verdict:
    """The verdict for an exception that nobody asked for."""
    where = f" (line {output.line})" if output.line else ""
    if output.kind == "NotImplementedError":
        return Verdict(False, f"Not written yet. {output.message}", got="NotImplementedError", misconception="not-written")
    return Verdict(False, f"The call raised {output.kind}{where}: {output.message}", got=output.kind)


def tolerance(*tensors: torch.Tensor) -> float:
    """The tolerance for comparing these tensors: that of their least precise floating dtype."""
    return max((TOLERANCE.get(t.dtype, 0.0) for t in tensors), default=0.0)


def difference(expected: torch.Tensor, got: Any, tol: float | None = None) -> str:
    """Empty if `got` equals `expected` within `tol` (absolute plus relative); else one sentence on how they differ.

    >>> difference(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0]))
    'first difference at index 1: expected 2, got 3; largest error 1'
    """
    if not isinstance(got, torch.Tensor):
        return f"expected a tensor, got {type(got).__name__}"
    if tuple(got.shape) != tuple(expected.shape):
        return f"expected shape {tuple(expected.shape)}, got shape {tuple(got.shape)}"
    if expected.dtype == got.dtype and torch.equal(expected, got):
        return ""
    if expected.is_floating_point() != got.is_floating_point():
        return f"expected dtype {expected.dtype}, got {got.dtype}"
    tol = tolerance(expected, got) if tol is None else tol
    a, b = expected.to(torch.float64), got.to(torch.float64)
    close = ((a - b).abs() <= tol * (1 + a.abs())) & a.isfinite() & b.isfinite()
    same = (a == b) | close | (a.isnan() & b.isnan())
    if bool(same.all()):
        return ""
    index = tuple(int(i) for i in (~same).nonzero()[0])
    at = index[0] if len(index) == 1 else index
    error = (a - b).abs()[~same]
    largest = "" if not bool(error.isfinite().all()) else f"; largest error {float(error.max()):.3g}"
    return f"first difference at index {at}: expected {_number(float(a[index]))}, got {_number(float(b[index]))}{largest}"


def equal(case: Case, output: Output, expected: torch.Tensor, *, tol: float | None = None,
          wrong: Mapping[str, tuple[Callable[[], torch.Tensor] | torch.Tensor, str]] | None = None,
          why: str = "") -> Verdict:
    """Judge a tensor. `wrong` maps a misconception's id to (its value or a function giving it, what was done in words).

    A mutated argument fails as "changes-its-input". If the value is wrong and equals one of the `wrong` values, the
    verdict names that misconception; a `wrong` value that equals the expected one here is never reported.
    """
    got, bad = value_of(output)
    if bad:
        return bad
    said = difference(expected, got, tol)
    if not said:
        return mutation(output)
    for name, (value, words) in (wrong or {}).items():
        value = value() if callable(value) else value
        if not difference(value, got, tol):
            return Verdict(False, f"{words} ({said})", show(expected), show(got), name)
    return Verdict(False, f"{why + ': ' if why else ''}{said}", show(expected), show(got))


def mutation(output: Output) -> Verdict:
    """Fails if the call changed one of its arguments in place."""
    if isinstance(output, Returned) and output.mutated:
        names = ", ".join(output.mutated)
        return Verdict(False, f"The result is right, but the call changed its input in place: {names}. Work on a copy.",
                       misconception="changes-its-input")
    return PASS


def raises(output: Output, kind: str, names: str) -> Verdict:
    """Judge that the call raised `kind` with the value `names` in its message."""
    if isinstance(output, Returned):
        return Verdict(False, f"An invalid value went through: expected {kind} naming {names}.", kind, show(output.value),
                       "accepts-invalid-value")
    if output.kind == "NotImplementedError":
        return raised(output)
    if output.kind != kind:
        return Verdict(False, f"Expected {kind}, but {output.kind} was raised: {output.message}", kind, output.kind)
    if names not in output.message:
        return Verdict(False, f"{kind} is right, but its message should name the value received, {names}.",
                       f"{kind}: ... {names} ...", f"{kind}: {output.message}", "unnamed-value")
    return PASS


def divergence(p: torch.Tensor, q: torch.Tensor) -> float:
    """Kullback-Leibler divergence sum p ln(p / q) in nats of two distributions (V,); inf where q rules out what p has.

    >>> round(divergence(torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5])), 4)
    0.6931
    """
    some = p > 0
    p, q = p[some].to(torch.float64), q[some].to(torch.float64)
    return float((p * (p / q).log()).sum()) if bool((q > 0).all()) else math.inf


def log_types(draws: int, kinds: int) -> float:
    """The natural logarithm of the number of counts that so many draws of so many kinds can have: C(n+k-1, k-1).

    >>> round(math.exp(log_types(2, 3)))  # 200, 020, 002, 110, 101, 011
    6
    """
    return math.log(math.comb(draws + kinds - 1, kinds - 1))


def types_p(counts: torch.Tensor, probs: torch.Tensor) -> float:
    """An upper bound of the probability that draws from `probs` (V,) are as far from it as `counts` (V,), in divergence.

    It holds for any number of draws n, however few are expected of a token: there are at most C(n+k-1, k-1) counts of k tokens,
    and each has a probability of at most exp(-n D(counts / n, probs)) (method of types, Cover & Thomas, theorem 11.1.4).

    >>> types_p(torch.tensor([600, 400]), torch.tensor([0.5, 0.5])) < 1e-5
    True
    >>> types_p(torch.tensor([510, 490]), torch.tensor([0.5, 0.5]))
    1.0
    """
    n, k = int(counts.sum()), int((probs > 0).sum())
    far = n * divergence(counts.to(torch.float64) / n, probs)
    return min(1.0, math.exp(log_types(n, k) - far))


def chi_square_p(counts: torch.Tensor, probs: torch.Tensor) -> float:
    """P-value of Pearson's chi-square test of `counts` (V,) against `probs` (V,), cells under 5 expected pooled.

    A count where the probability is zero gives 0.0. The p-value is the regularised upper incomplete gamma function
    Q(df/2, x/2) in float64.

    >>> round(chi_square_p(torch.tensor([50, 50]), torch.tensor([0.5, 0.5])), 3)
    1.0
    """
    counts, probs = counts.to(torch.float64), probs.to(torch.float64)
    if bool((counts[probs == 0] > 0).any()):
        return 0.0
    total = float(counts.sum())
    expected = probs * total
    big = expected >= 5
    seen, want = counts[big].tolist(), expected[big].tolist()
    rest = float(expected[~big].sum())
    if rest >= 5 or (rest > 0 and not want):
        seen.append(float(counts[~big].sum()))
        want.append(rest)
    elif rest > 0:
        at = want.index(min(want))
        seen[at] += float(counts[~big].sum())
        want[at] += rest
    if len(want) < 2:
        return 1.0
    x = math.fsum((s - w) ** 2 / w for s, w in zip(seen, want, strict=True))
    half = torch.tensor((len(want) - 1) / 2, dtype=torch.float64)
    return float(torch.special.gammaincc(half, torch.tensor(x / 2, dtype=torch.float64)))
