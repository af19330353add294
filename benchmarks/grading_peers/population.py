"""A class for the benchmark, the same one for the same seed, with what is known to be true of every submission.

Of 20 students, 8 solved everything, 8 have one to four of the known mistakes, 2 got half way, 1 did nothing and 1 handed in
a syntax error. Right functions are often written in another legal way. Nobody loops or crashes: see `BAD`.
"""

from __future__ import annotations

import ast
import json
import random
from dataclasses import dataclass, field

from llmlab.grading import answers, sample_students, variants
from llmlab.grading.places import Desk
from llmlab.grading.sample_students import Maker, called, functions

MIX = {"perfect": 8, "mistakes": 8, "half": 2, "untouched": 1, "syntax": 1}
FULL, LESS, ZERO = "full", "less", "zero"
"""What a cell must get: all points, fewer than all, none. A cell that is not named may get anything."""

BAD = {
    "loop": "    while True:\n        pass\n",
    "exit": "    import os\n\n    os._exit(3)\n",
    "segfault": "    import ctypes\n\n    ctypes.string_at(0)\n",
}


@dataclass
class Student:
    """One submission: file name -> bytes, and what each graded cell must get."""

    name: str
    kind: str
    files: dict[str, bytes]
    truth: dict[str, str] = field(default_factory=dict)


def tail(variant: variants.Variant, base: bytes) -> str:
    """The functions that a variant replaces, as text."""
    return variant.source[len(base):].decode()


def names(text: str) -> set[str]:
    """What a text defines at its top level."""
    body = ast.parse(text).body
    assigned = {target.id for node in body if isinstance(node, ast.Assign) for target in node.targets
                if isinstance(target, ast.Name)}
    return assigned | {node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


class Population:
    """Makes the submissions of one released lab."""

    def __init__(self, desk: Desk, seed: int):
        self.desk, self.make, self.seed = desk, Maker(desk, seed), seed
        where, tasks = desk.course, {task.id for task in desk.tasks}
        self.base = {module: variants.solution(module, where) for module in desk.modules}
        self.wrong = [one for module in desk.modules for one in variants.mutants(module, where) if one.task in tasks]
        self.other = [one for module in desk.modules for one in variants.alternatives(module, where) if one.task in tasks]
        self.callers = {module: self.all_callers(source.decode()) for module, source in self.base.items()}

    @staticmethod
    def all_callers(source: str) -> dict[str, set[str]]:
        """Function -> the functions of the module that call it, directly or not: they may suffer from its mistake."""
        calls = {name: called(text.encode()) for name, text in functions(source).items()}
        found = {name: {other for other in calls if name in calls[other]} for name in calls}
        for _ in calls:
            found = {name: who.union(*(found[one] for one in who)) for name, who in found.items()}
        return found

    def all(self, count: int) -> list[Student]:
        """The class, in the order of the students' names."""
        kinds = [kind for kind, share in MIX.items() for _ in range(share)]
        drawn = random.Random(self.seed)
        order: list[str] = []
        while len(order) < count:
            drawn.shuffle(kinds)
            order += kinds
        return [self.one(f"s{number:05}", kind) for number, kind in enumerate(order[:count], 1)]

    def one(self, name: str, kind: str) -> Student:
        rng = random.Random(f"{self.seed} {name}")
        sources = {module: source + f"\n# handed in by {name}\n".encode() for module, source in self.make.solved.items()}
        truth = {task.id.replace(".", "-"): FULL for task in self.desk.tasks}
        right, taken = 1.0, set()
        if kind == "mistakes":
            right = 0.6
            for variant in self.pick(self.wrong, rng.randint(1, 4), rng, taken):
                text = tail(variant, self.base[variant.module])
                sources[variant.module] += b"\n\n" + text.encode()
                for function in names(text):
                    self.suffers(truth, variant.module, function)
                truth[variant.task.replace(".", "-")] = LESS
        if kind in ("perfect", "mistakes"):
            for variant in self.pick(self.other, rng.randint(0, 4), rng, taken):
                sources[variant.module] += b"\n\n" + tail(variant, self.base[variant.module]).encode()
        if kind == "half":
            right = 0.5
            self.undo(sources, truth)
        if kind == "syntax":
            right, first = 0.8, self.desk.modules[0]
            sources[first] += b"\n\ndef more(logits:\n    return logits\n"
            truth |= {task.id.replace(".", "-"): ZERO for task in self.desk.tasks if task.module == first}
        files = {f"{module}.py": source for module, source in sources.items()}
        files[self.desk.notebook] = self.make.notebook(rng, right, right)
        if kind == "untouched":
            files = sample_students.untouched(self.make, rng)
            truth = dict.fromkeys(truth, ZERO)
        return Student(name, kind, files, truth | self.numbers(files[self.desk.notebook]))

    def pick(self, found: list[variants.Variant], count: int, rng: random.Random, taken: set[str]) -> list[variants.Variant]:
        """Variants of different tasks that define different names, so that each means what it means alone."""
        chosen: list[variants.Variant] = []
        for variant in rng.sample(found, len(found)):
            mine = {f"{variant.module}.{name}" for name in names(tail(variant, self.base[variant.module]))} | {variant.task}
            if len(chosen) < count and not mine & taken:
                taken |= mine
                chosen.append(variant)
        return chosen

    def suffers(self, truth: dict[str, str], module: str, function: str) -> None:
        """A function is wrong: nothing is known any more of those that call it, unless they are wrong themselves."""
        for caller in self.callers[module].get(function, ()):
            if truth.get(f"{module}-{caller}") == FULL:
                del truth[f"{module}-{caller}"]

    def undo(self, sources: dict[str, bytes], truth: dict[str, str]) -> None:
        """The second half of each module is as released."""
        for module in sources:
            mine = [task.function for task in self.desk.tasks if task.module == module]
            released = functions(self.make.scaffolds[module])
            for name in mine[len(mine) // 2:]:
                sources[module] += f"\n\n{released[name]}\n".encode()
                self.suffers(truth, module, name)
            truth |= dict.fromkeys((f"{module}-{name}" for name in mine[len(mine) // 2:]), ZERO)

    def numbers(self, notebook: bytes) -> dict[str, str]:
        """Whether each number is the key's."""
        cell = answers.CELL.format(lab=self.desk.lab)
        source = next((one["source"] for one in json.loads(notebook)["cells"] if sample_students.grade_id(one) == cell), None)
        text = source if isinstance(source, str) else "".join(source or "ANSWERS = {}")
        keys = self.make.keys
        try:
            said = answers.read(text)
        except answers.AnswerError:  # as released, there may be no dict
            said = {}
        return {f"answer-{name}": FULL if said.get(name) == key.value else ZERO for name, key in keys.items()}

    def bad(self) -> list[Student]:
        """Three who end or hang their process in one function, and are right everywhere else."""
        called_by = {name: who for module in self.callers.values() for name, who in module.items()}
        task = next(task for task in self.desk.tasks if not called_by[task.function] and len(task.groups) < 4)
        made = []
        for name, body in BAD.items():
            one = self.one(f"bad-{name}", "perfect")
            one.files[f"{task.module}.py"] = self.make.solved[task.module] + (
                f"\n\ndef {task.function}(*args, **kwargs):\n{body}".encode())
            one.kind, one.truth[task.id.replace(".", "-")] = name, ZERO
            made.append(one)
        return made
