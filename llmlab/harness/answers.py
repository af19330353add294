"""`llmlab.check_answer("entropy-t1", ANSWERS)` in a notebook cell: is there a number, and could it be right?

It does not know the right value; that is looked at when the lab is graded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmlab.checks.answers import judge_format, question


def check_answer(name: str, answers: Mapping[str, Any]) -> None:
    """Print whether `answers[name]` is a number that could answer the question; never whether it is right.

    A wrong name, or something else than a dict, is told in one line, without a traceback.

    >>> check_answer("flip-alpha", {"flip-alpha": 0.5})
    flip-alpha: 0.5 (no unit) is recorded. Whether it is right is told with the grade.
    >>> check_answer("flip-alpha", {})
    flip-alpha: Not answered yet: replace None by your number. Read part1/beam.html#sec-length-penalty
    """
    try:
        asked = question(name)
    except LookupError as error:
        print(error.args[0])
        return
    if not isinstance(answers, Mapping):
        print(f'ANSWERS is a {type(answers).__name__}; write it as a dict: {{"{name}": number, ...}}.')
        return
    verdict = judge_format(asked, answers.get(name))
    if verdict.ok:
        print(f"{name}: {answers[name]} ({asked.unit}) is recorded. "
              "Whether it is right is told with the grade.")
    else:
        print(f"{name}: {verdict.message} Read {asked.read}")
