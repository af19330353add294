"""The submissions of the sample class: built from the release, the solution, the mutants and the keys. Grades
nothing.

Every recipe says what a student did, never what comes of it: results are the grader's business. The recipes know no
lab: what they need they find in its tasks, scaffolds, mutants and keys. `plan` says which of them a lab's sample has.
"""

from __future__ import annotations

import ast
import copy
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from llmlab.checks.protocol import Task
from llmlab.grading import answers, scaffold, variants
from llmlab.grading.places import Desk

ABSENT = ("absent-01", "absent-02")
WRITTEN = (
    "The first one is faster, because it reads less; my measurement in the cell above says how much.",
    "I computed it on paper and by the function, and both agree. It grows with the length, not with its square.",
    "It depends: for one sequence memory decides, for many the arithmetic does.",
)
WRITTEN_LAB1 = (
    "At low temperature the most likely token is nearly always taken, so the text falls into a loop.",
    "I tried three values. With p = 0.9 the text stayed on topic; with p = 1 rare tokens led it astray.",
    "A beam looks for the most likely whole text. That text is short and dull, which we do not want.",
    "The penalty also hits commas and the word *the*, so long answers become strange.",
)


@dataclass
class Submission:
    """What one student hands in: file name -> bytes."""

    student: str
    files: dict[str, bytes] = field(default_factory=dict)
    mutants: tuple[variants.Variant, ...] = ()


class Maker:
    """Builds the submissions of a lab, the same ones for the same seed."""

    def __init__(self, desk: Desk, seed: int):
        self.desk, self.seed = desk, seed
        self.master = json.loads(desk.master.read_bytes())
        self.keys = answers.keys(desk.lab, desk.course)
        self.solved = {module: unmarked(variants.solution(module, desk.course)) for module in desk.modules}
        self.scaffolds = scaffold.scaffolds(desk.course, desk.modules)

    def all(self) -> list[Submission]:
        """Every submission, in the order of the students' ids."""
        made = [
            Submission(student_of(recipe), recipe(self, self.rng(recipe.__name__)))
            for recipe in plan(self.desk.lab).recipes
        ]
        return sorted(made + self.mistakes(), key=lambda one: one.student)

    def rng(self, name: str) -> random.Random:
        return random.Random(f"{self.seed} {name}")

    def modules(self, change: dict[str, Callable[[bytes], bytes]] | None = None) -> dict[str, bytes]:
        """Solved modules, with a change to some."""
        return {f"{name}.py": (change or {}).get(name, bytes)(source) for name, source in self.solved.items()}

    def mistakes(self) -> list[Submission]:
        """Students with a common misconception: one mutant of each module, tasks in turn; numbers partly
        wrong.
        """
        tasks = {task.id for task in self.desk.tasks}
        chosen = {
            module: in_turn([one for one in variants.mutants(module, self.desk.course) if one.task in tasks])
            for module in self.desk.modules
        }
        made = []
        for number in range(plan(self.desk.lab).mistakes):
            student = f"mistake-{number + 1:02}"
            rng = self.rng(student)
            mine = tuple(
                found[number % len(found)]
                for found in chosen.values()
                if found and (number < len(found) or found is max(chosen.values(), key=len))
            )
            files = self.modules() | {f"{one.module}.py": unmarked(one.source) for one in mine}
            files[self.desk.notebook] = self.notebook(rng, right=0.6, written=0.8)
            made.append(Submission(student, files, mine))
        return made

    def notebook(self, rng: random.Random, right: float, written: float) -> bytes:
        """The released notebook with each number right with that chance, and each written answer given
        with that chance.
        """
        return dump(self.filled(rng, right, written))

    def filled(self, rng: random.Random, right: float, written: float) -> dict[str, Any]:
        notebook = copy.deepcopy(self.master)
        for cell in notebook["cells"]:
            name = grade_id(cell)
            if name == answers.CELL.format(lab=self.desk.lab):
                given = {key: self.number(rng, self.keys[key], right) for key in self.keys}
                cell["source"] = "ANSWERS = " + json.dumps(given, indent=4).replace("null", "None") + "\n"
            elif name.startswith("written-") and rng.random() < written:
                cell["source"] = rng.choice(WRITTEN_LAB1 if self.desk.lab == "lab1" else WRITTEN)
        return notebook

    @staticmethod
    def number(rng: random.Random, key: answers.Key, right: float) -> float | None:
        if rng.random() < right:
            return key.value
        return rng.choice([value for value, _ in key.wrong.values()] + [None])


def student_of(recipe: Callable) -> str:
    return recipe.__name__.replace("_", "-")


def grade_id(cell: dict[str, Any]) -> str:
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "")


def dump(notebook: dict[str, Any]) -> bytes:
    return json.dumps(notebook, indent=1, ensure_ascii=False).encode()


def unmarked(source: bytes) -> bytes:
    """A solution as a student would write it: without nbgrader's markers."""
    return (
        b"\n".join(
            line
            for line in source.splitlines()
            if b"### BEGIN SOL" not in line and b"### END SOL" not in line
        )
        + b"\n"
    )


def in_turn(found: list[variants.Variant]) -> list[variants.Variant]:
    """One mutant of each task, then the second of each, and so on."""
    rounds: dict[str, int] = {}
    ranked = []
    for one in found:
        rounds[one.task] = rounds.get(one.task, -1) + 1
        ranked.append((rounds[one.task], one.task, one.name, one))
    return [entry[-1] for entry in sorted(ranked, key=lambda entry: entry[:3])]


def functions(source: str) -> dict[str, str]:
    """Name -> source text of the functions and classes of a module."""
    return {
        node.name: ast.get_source_segment(source, node) or ""
        for node in ast.parse(source).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }


def called(source: bytes) -> set[str]:
    """The names that a module calls."""
    return {
        node.func.id
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def perfect(make: Maker, rng: random.Random) -> dict[str, bytes]:
    return make.modules() | {make.desk.notebook: make.notebook(rng, right=1, written=1)}


def half_done(make: Maker, rng: random.Random) -> dict[str, bytes]:
    """The second half of each module's functions is still as released."""

    def undo(module: str) -> Callable[[bytes], bytes]:
        names = [task.function for task in make.desk.tasks if task.module == module]
        open_ = functions(make.scaffolds[module])
        kept = "\n\n\n".join(open_[name] for name in names[len(names) // 2 :])
        return lambda source: source + b"\n\n" + kept.encode() + b"\n"

    files = make.modules({module: undo(module) for module in make.desk.modules})
    return files | {make.desk.notebook: make.notebook(rng, right=0.5, written=0.5)}


def untouched(make: Maker, rng: random.Random) -> dict[str, bytes]:
    return {f"{module}.py": make.scaffolds[module].encode() for module in make.desk.modules} | {
        make.desk.notebook: make.desk.master.read_bytes()
    }


def syntax_error(make: Maker, rng: random.Random) -> dict[str, bytes]:
    first = make.desk.modules[0]
    files = make.modules({first: lambda source: source + b"\n\ndef more(logits:\n    return logits\n"})
    return files | {make.desk.notebook: make.notebook(rng, right=0.8, written=1)}


def module_missing(make: Maker, rng: random.Random) -> dict[str, bytes]:
    files = make.modules()
    del files[f"{make.desk.modules[-1]}.py"]
    return files | {make.desk.notebook: make.notebook(rng, right=0.8, written=1)}


def cells_deleted(make: Maker, rng: random.Random) -> dict[str, bytes]:
    """Every second test cell and the first written answer are gone; the last one is there twice."""
    notebook = make.filled(rng, right=0.8, written=1)
    tests = [
        grade_id(cell)
        for cell in notebook["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade") and not cell["metadata"]["nbgrader"]["solution"]
    ]
    written = [cell for cell in notebook["cells"] if grade_id(cell).startswith("written-")]
    gone = set(tests[::2]) | {grade_id(cell) for cell in written[:1]}
    kept = [cell for cell in notebook["cells"] if grade_id(cell) not in gone]
    notebook["cells"] = kept + [copy.deepcopy(cell) for cell in written[-1:]]
    return make.modules() | {make.desk.notebook: dump(notebook)}


def notebook_unreadable(make: Maker, rng: random.Random) -> dict[str, bytes]:
    whole = make.notebook(rng, right=1, written=1)
    return make.modules() | {make.desk.notebook: whole[: len(whole) // 2]}


def warnings_on_stderr(make: Maker, rng: random.Random) -> dict[str, bytes]:
    """Right code that talks: it warns when it is loaded and prints on stderr at every call of its first
    function.
    """

    def talk(module: str) -> Callable[[bytes], bytes]:
        name = next(task.function for task in make.desk.tasks if task.module == module)
        return lambda source: source + TALK.format(name=name).encode()

    files = make.modules({module: talk(module) for module in make.desk.modules})
    return files | {make.desk.notebook: make.notebook(rng, right=1, written=1)}


TALK = """

import sys
import warnings

warnings.warn("this module is still talkative")
_silent = {name}


def {name}(*args, **kwargs):
    print("{name} was called", file=sys.stderr)
    warnings.warn("a warning at every call")
    return _silent(*args, **kwargs)
"""


def uncalled(make: Maker) -> list[Task]:
    """The tasks that no other function of their module calls: what goes wrong in one goes wrong in no other."""
    calls = {module: called(source) for module, source in make.solved.items()}
    return [task for task in make.desk.tasks if task.function not in calls[task.module]]


def endless_loop(make: Maker, rng: random.Random) -> dict[str, bytes]:
    """One function never returns. Every case group waits for its time limit, so it is one with few groups
    and no callers.
    """
    task = min(uncalled(make), key=lambda task: len(task.groups))
    loop = f"\n\ndef {task.function}(*args, **kwargs):\n    while True:\n        pass\n".encode()
    files = make.modules({task.module: lambda source: source + loop})
    return files | {make.desk.notebook: make.notebook(rng, right=0.8, written=1)}


def process_exit(make: Maker, rng: random.Random) -> dict[str, bytes]:
    """The last function, of those without callers, ends its process."""
    task = uncalled(make)[-1]
    leave = f"\n\ndef {task.function}(*args, **kwargs):\n    import os\n\n    os._exit(3)\n".encode()
    files = make.modules({task.module: lambda source: source + leave})
    return files | {make.desk.notebook: make.notebook(rng, right=0.8, written=1)}


@dataclass(frozen=True)
class Plan:
    """Who hands in: a student for each recipe, and so many with a common mistake. The cells of those `seen` are run for
    their figures; running everybody's would show the same figures again.
    """

    recipes: tuple[Callable[[Maker, random.Random], dict[str, bytes]], ...]
    mistakes: int
    seen: tuple[str, ...] = ()


WHOLE = (
    perfect,
    half_done,
    untouched,
    syntax_error,
    module_missing,
    cells_deleted,
    notebook_unreadable,
    warnings_on_stderr,
    endless_loop,
    process_exit,
)
FIRST = Plan(WHOLE, 10, (*(student_of(recipe) for recipe in WHOLE if recipe is not notebook_unreadable), "mistake-01"))
LATER = Plan((perfect, half_done, untouched, module_missing), 4)
HOSTILE = Plan((perfect, half_done, untouched, module_missing, process_exit), 4)


def plan(lab: str) -> Plan:
    """Lab 1 has every recipe. The others are smaller, and one of them has a submission that ends its process."""
    return {"lab1": FIRST, "lab3": HOSTILE}.get(lab, LATER)
