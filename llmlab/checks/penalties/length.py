"""Checks of length_penalty: both forms, one hypothesis and several, and which one of two is the better."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from llmlab.checks.compare import show
from llmlab.checks.judging import Expect, Refuse
from llmlab.checks.judging import judge as judge_value
from llmlab.checks.protocol import Call, Case, Event, Output, Returned, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

TASK = "penalties.length_penalty"
HF, GNMT = "form hf", "form gnmt"
MANY, INVALID = "several hypotheses", "invalid length or form"
TASKS = (Task(TASK, "lab1", "rescale a sum of log-probabilities by the length of the hypothesis",
              {HF: 1, GNMT: 1, MANY: 1, INVALID: 1}, "part1/beam.html#sec-length-penalty"),)

Score = Callable[[float, int, float], float]
ORACLE: dict[str, Score] = {
    "hf": lambda total, n, alpha: total / math.pow(n, alpha),
    "gnmt": lambda total, n, alpha: total / math.pow((5 + n) / 6, alpha),
}
WRONG: dict[str, dict[str, tuple[Score, str]]] = {
    "hf": {
        "gnmt-for-hf": (ORACLE["gnmt"], "The divisor of the other form was used. Here it is length ** alpha."),
        "hf-ignores-alpha": (lambda s, n, a: s / n, "The sum was divided by the length, whatever alpha is."),
    },
    "gnmt": {
        "hf-for-gnmt": (ORACLE["hf"], "The divisor of the other form was used. Here it is ((5 + length) / 6) ** alpha."),
        "gnmt-forgets-six": (lambda s, n, a: s / (5 + n) ** a, "5 + length was not divided by 6."),
        "gnmt-alpha-on-numerator": (lambda s, n, a: s / ((5 + n) ** a / 6),
                                    "Only 5 + length was raised to alpha; raise the whole quotient (5 + length) / 6."),
    },
}
BOTH: dict[str, tuple[Callable[[Score, float, int, float], float], str]] = {
    "length-multiplies": (lambda form, s, n, a: s * (s / form(s, n, a)), "The sum was multiplied by the divisor. Divide."),
    "length-never-counts": (lambda form, s, n, a: s, "The sum came back unchanged."),
    "length-scales-by-alpha": (lambda form, s, n, a: s / (s / form(s, n, 1.0) * a),
                               "The divisor was multiplied by alpha. Raise it to the power alpha."),
    "length-sign-flipped": (lambda form, s, n, a: -form(s, n, a),
                            "The score has the wrong sign: it is a scaled log-probability, so it is not above 0."),
}


def length_case(group: str, total: float | list[float], length: int | list[int], alpha: float, form: str,
                kwargs: bool = True) -> Case:
    """One call with numbers, or with one tensor of sums and one of lengths."""
    pairs = list(zip(total, length, strict=True)) if isinstance(total, list) else [(total, length)]
    right = ORACLE[form]

    def outcome(score: Callable[[float, int], float]) -> torch.Tensor:
        made = torch.tensor([score(s, n) for s, n in pairs], dtype=torch.float64)
        return made if isinstance(total, list) else made[0]

    wrong = {name: (lambda rule=rule: outcome(lambda s, n: rule(s, n, alpha)), words)
             for name, (rule, words) in WRONG[form].items()}
    if alpha:  # several of these divide by something that alpha = 0 makes 0
        wrong |= {name: (lambda rule=rule: outcome(lambda s, n: rule(right, s, n, alpha)), words)
                  for name, (rule, words) in BOTH.items()}
    given = (torch.tensor(total), torch.tensor(length)) if isinstance(total, list) else (total, length)
    call = Call("length_penalty", (*given, alpha), {"form": form} if kwargs else {})
    return Case(TASK, group, (call,), Expect(outcome(lambda s, n: right(s, n, alpha)), wrong, 1e-5))


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """As usual, but a number is as good as a tensor without dimensions."""
    last = outputs[-1]
    if isinstance(case.expect, Expect) and isinstance(last, Returned):
        value = last.value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if isinstance(value, int) and value.bit_length() > 1_000:
                return Verdict(False, "The score is far too large to be one.", got=f"an int of {value.bit_length()} bits")
            last = Returned(torch.tensor(float(value), dtype=torch.float64), last.mutated)
        elif isinstance(value, torch.Tensor) and value.shape == (1,) and case.expect.value.dim() == 0:
            last = Returned(value[0], last.mutated)
        elif not isinstance(value, torch.Tensor):
            return Verdict(False, f"The score should be a number or a tensor, got {type(value).__name__}.", got=show(value))
    return judge_value(case, [last], events)


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(7_000 + seed)
    made = []
    for form, group in (("hf", HF), ("gnmt", GNMT)):
        made.append(length_case(group, -6.0, 4, 1.0, form, kwargs=form != "hf"))
        made.append(length_case(group, -6.0, 4, 0.0, form))
        made.append(length_case(group, -2.5, 1, 2.0, form))
        for alpha in (0.6, 1.5, -0.7):
            total, length = -5 * float(torch.rand((), generator=generator)) - 1, int(torch.randint(3, 30, (), generator=generator))
            made.append(length_case(group, total, length, alpha, form))
        lengths = torch.randint(2, 30, (5,), generator=generator)
        sums = -torch.rand(5, generator=generator) * lengths - 0.5
        for alpha in (0.8, 2.0):
            made.append(length_case(MANY, sums.tolist(), lengths.tolist(), alpha, form))
    for total, length, form, named in ((-1.0, 0, "hf", "0"), (-1.0, -3, "gnmt", "-3"), (-1.0, 2, "google", "google")):
        made.append(Case(TASK, INVALID, (Call("length_penalty", (total, length, 1.0), {"form": form}),), Refuse(named)))
    both = (torch.tensor([-1.0, -2.0]), torch.tensor([3, 0]))
    made.append(Case(TASK, INVALID, (Call("length_penalty", (*both, 1.0)),), Refuse("0")))
    return made
