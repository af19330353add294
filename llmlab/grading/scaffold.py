"""Makes the scaffolds: `solutions/X.py` without its solution regions becomes `llmlab/X.py`.

Inside a function, a region between the two nbgrader markers becomes a `raise NotImplementedError` that names the lab, the
task and the section to read. A region at the top level (a private helper) is left out.

    python -m llmlab.grading.scaffold            write the scaffolds
    python -m llmlab.grading.scaffold flops      write this one
    python -m llmlab.grading.scaffold --check    fail if one differs from what would be written
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import textwrap
from collections.abc import Iterable

from llmlab._finder import LAB_MODULES
from llmlab.checks import registry
from llmlab.checks.protocol import Task
from llmlab.grading.course import Course, CourseError, course

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


def scaffold(source: str, tasks: list[Task]) -> str:
    """The scaffold of a solution's source. Raises CourseError on an unpaired marker or a region outside every task."""
    by_name = {task.function: task for task in tasks}
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    out: list[str] = []
    began: int | None = None
    for number, line in enumerate(source.splitlines(), start=1):
        mark = line.strip()
        if mark == BEGIN and began is None:
            began = number
            indent = line[: len(line) - len(line.lstrip())]
            if indent:
                out += _refusal(_owner(number, functions, by_name), indent)
        elif mark == END and began is not None:
            began = None
        elif mark in (BEGIN, END):
            raise CourseError(f"line {number}: {mark} without its partner")
        elif began is None:
            out.append(line)
    if began is not None:
        raise CourseError(f"line {began}: {BEGIN} is never closed")
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(out).rstrip() + "\n")


def _owner(line: int, functions, by_name: dict[str, Task]) -> Task:
    around = [node for node in functions if node.lineno <= line <= (node.end_lineno or 0)]
    for node in sorted(around, key=lambda node: -node.lineno):
        if node.name in by_name:
            return by_name[node.name]
    raise CourseError(f"line {line}: a solution region in {around[-1].name if around else 'no function'}, which is no "
                      f"task. The tasks are: {', '.join(sorted(by_name))}.")


def _refusal(task: Task, indent: str) -> list[str]:
    lab = task.lab.replace("lab", "Lab ")
    text = f"{lab}, task {task.id}: {task.title}. Read {task.read}"
    parts = textwrap.wrap(text, 100 - len(indent), drop_whitespace=False, break_on_hyphens=False)
    return [f"{indent}raise NotImplementedError(", *(f'{indent}    "{part}"' for part in parts), f"{indent})"]


def scaffolds(where: Course, modules: Iterable[str] = LAB_MODULES) -> dict[str, str]:
    """Module name -> scaffold text, for these lab modules."""
    made = {}
    for module in modules:
        file = where.solutions / f"{module}.py"
        try:
            made[module] = scaffold(file.read_text(encoding="utf-8"), registry.tasks(module))
        except (CourseError, SyntaxError) as error:
            raise CourseError(f"{file}: {error}") from None
    return made


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m llmlab.grading.scaffold", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a scaffold is out of date")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="only these lab modules (default: all)")
    options = parser.parse_args(argv)
    if unknown := [name for name in options.modules if name not in LAB_MODULES]:
        parser.error(f"there is no lab module {unknown[0]!r}. There are: {', '.join(LAB_MODULES)}.")
    where, drifted = course(), []
    try:
        made = scaffolds(where, options.modules or LAB_MODULES)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    for module, text in made.items():
        file = where.package / f"{module}.py"
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            continue
        drifted.append(module)
        if not options.check:
            file.write_text(text, encoding="utf-8")
    if options.check and drifted:
        print(f"out of date: {', '.join(drifted)}. Run `make scaffolds`.", file=sys.stderr)
        return 1
    print(f"scaffolds: {'written ' + ', '.join(drifted) if drifted else 'all up to date'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
