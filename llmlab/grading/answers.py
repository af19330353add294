"""Numeric answers: the key, reading what a student wrote without running it, and judging it.

The notebook has one cell, `ANSWERS = {"id": number, ...}`. It is parsed, and its values are taken by
`ast.literal_eval`; no student code runs. What may be asked (public) is in `llmlab.checks.answers`; the
right values are computed by `solutions/hidden/<lab>_answers.py` and stay on the instructor's side.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from llmlab.checks import answers as public
from llmlab.checks.protocol import PASS, Verdict
from llmlab.grading.course import Course, CourseError
from llmlab.grading.ledger import digest, write_atomic

CELL = "{lab}-answers"
LONGEST = 20_000


@dataclass(frozen=True)
class Key:
    """The right value of a question, how far off is still right, and the values that known mistakes lead to.

    `wrong` maps a misconception's id to (the value it gives, what was done, in words).
    """

    value: float
    tol: float
    wrong: Mapping[str, tuple[float, str]] = field(default_factory=dict)


class AnswerError(ValueError):
    """The answers cell cannot be read; the message says why and what it should look like."""


def questions(lab: str) -> list[public.Question]:
    """The numeric questions of a lab."""
    return [question for question in public.QUESTIONS if question.lab == lab]


def keys(lab: str, where: Course) -> dict[str, Key]:
    """The right values, computed by `solutions/hidden/<lab>_answers.py`. Raises CourseError if they do not
    fit the questions.

    Computing them on the model takes a while, so they are kept beside the ledger until that file, the
    questions, the model's code or its weights change.
    """
    if not questions(lab):
        return {}
    kept = where.assignments / "ledger" / f"{lab}-keys.json"
    stamp = _stamp(lab, where)
    try:
        found = json.loads(kept.read_bytes())
    except (OSError, ValueError):
        found = {}
    if not isinstance(found, dict) or found.get("stamp") != stamp:
        found = {"stamp": stamp, "keys": {name: asdict(key) for name, key in _compute(lab, where).items()}}
        write_atomic(kept, json.dumps(found, indent=1).encode())
    return {
        name: Key(
            key["value"],
            key["tol"],
            {which: (value, words) for which, (value, words) in key["wrong"].items()},
        )
        for name, key in found["keys"].items()
    }


def _stamp(lab: str, where: Course) -> str:
    """What the keys depend on, as one hash."""
    models = Path(public.__file__).parents[1] / "models"
    files = [
        where.solutions / "hidden" / f"{lab}_answers.py",
        *sorted(models.glob("*.py")),
        *sorted((models / "weights").rglob("*.*")),
    ]
    return digest(
        repr(questions(lab)),
        *[part for file in files if file.is_file() for part in (file.name, file.read_bytes())],
    )


def _compute(lab: str, where: Course) -> dict[str, Key]:
    asked = {question.id for question in questions(lab)}
    file = where.solutions / "hidden" / f"{lab}_answers.py"
    spec = importlib.util.spec_from_file_location(f"_hidden_{lab}_answers", file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise CourseError(
            f"{lab} asks for numbers, but there is no {file}. Write answers() -> dict[str, Key] there."
        )
    hidden = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hidden)
    made = hidden.answers()
    if set(made) != asked:
        odd = ", ".join(sorted(set(made) ^ asked))
        raise CourseError(f"{file} and llmlab/checks/answers.py do not name the same questions: {odd}.")
    return made


def read(source: str) -> dict[str, Any]:
    """The dict that the cell assigns to ANSWERS, without running the cell. Raises AnswerError.

    >>> read("ANSWERS = {'a': 1.5, 'b': None}  # filled in")
    {'a': 1.5, 'b': None}
    """
    shape = 'Write the cell as ANSWERS = {"name": number, ...}, with plain numbers.'
    if len(source) > LONGEST:
        raise AnswerError(
            f"The answers cell has {len(source)} characters; at most {LONGEST} are read. {shape}"
        )
    try:
        assigned = [
            node.value
            for node in ast.parse(source).body
            if isinstance(node, ast.Assign)
            and any(isinstance(name, ast.Name) and name.id == "ANSWERS" for name in node.targets)
        ]
        if not assigned:
            raise AnswerError(f"The answers cell does not assign ANSWERS. {shape}")
        found = ast.literal_eval(assigned[-1])
    except SyntaxError as error:
        raise AnswerError(
            f"The answers cell is not Python (line {error.lineno}: {error.msg}). {shape}"
        ) from None
    except AnswerError:
        raise
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise AnswerError(f"The answers cell holds something else than plain numbers. {shape}") from None
    if not isinstance(found, dict):
        raise AnswerError(f"ANSWERS is a {type(found).__name__}, not a dict. {shape}")
    return {name: value for name, value in found.items() if isinstance(name, str)}


def judge(question: public.Question, key: Key, value: Any) -> Verdict:
    """Right within the key's tolerance; else the misconception that gives this value, if one does.

    The right value is never part of the message: feedback may reach a student who can still hand in again.
    """
    form = public.judge_format(question, value)
    if not form.ok:
        return form
    number = float(value)
    if not math.isfinite(number):
        return Verdict(False, f"{value} is not a finite number.", got=str(value))
    if abs(number - key.value) <= key.tol:
        return PASS
    for name, (wrong, words) in key.wrong.items():
        if abs(number - wrong) <= key.tol:
            return Verdict(False, words, got=f"{number:g}", misconception=name)
    return Verdict(
        False,
        f"{number:g} is not the value that the computation gives. Compute it again on the shipped model.",
        got=f"{number:g}",
    )
