"""`llmlab check`: the saved files against the public cases, once or at every save.

A `Checker` keeps a warm harness and the cases with their expected values, so a second check costs only the
student's code.
"""

from __future__ import annotations

import time

from rich.text import Text

from llmlab._finder import PACKAGE, LabModuleError, find, workspace
from llmlab.cli import names, render, results
from llmlab.cli.console import Stop, console, say
from llmlab.harness.spawn import Closed, starter

NO_HELPER = (
    "The helper process that runs your file did not start or ended early. Try once more; if it stays so, run "
    "`llmlab doctor`."
)


class Checker:
    """Checks modules again and again. Starting it does not wait for torch; the first check does."""

    def __init__(self):
        self.start = starter()  # the warm process imports torch while this one does
        self.harness, self.cases = None, {}

    def __enter__(self) -> Checker:
        return self

    def __exit__(self, *_) -> None:
        (self.harness or self.start).close()

    def check(self, module: str, tasks: list[str]):
        """The report on a module (on these tasks of it, if any are named). Raises LabModuleError, Stop."""
        found = find(module)
        source = found.read()
        from llmlab.checks import registry
        from llmlab.harness.runner import PUBLIC_SEED, Harness

        self.harness = self.harness or Harness(self.start)
        checks, known = registry.checks_of(module), registry.tasks(module)
        for task in tasks:
            if task not in {one.id for one in known}:
                raise names.unknown("task", task, [one.id for one in known])
        if module not in self.cases:
            self.cases[module] = checks.cases(PUBLIC_SEED)
        wanted = [task for task in known if task.id in tasks] if tasks else known
        try:
            return found, self.harness.check_source(
                module, source, str(found.path), wanted, self.cases[module], checks
            )
        except Closed:
            raise Stop(NO_HELPER) from None


def check(wanted: list[str], watch: bool, verbose: bool) -> int:
    """Check what is named, print it, remember it; 0 if all of it is right, else 1.

    Without a name: every module of the workspace's labs that is there. Once work has begun, modules that nobody has
    touched yet take one line together, as do missing ones.
    """
    modules = names.expand(wanted)
    now = modules if wanted else _worth_a_table(modules)
    for module in now:
        find(module).read()  # a missing file is told before anything slow starts
    with Checker() as checker:
        good = [_one(checker, module, modules[module], verbose) for module in now]
        if len(now) < len(modules):
            good += [False]
            _told_in_one_line([module for module in modules if module not in now])
        if watch:
            from llmlab.cli.watching import watch as follow

            follow(modules, lambda module: _again(checker, module, modules[module], verbose))
            return 0
    return 0 if all(good) else 1


def _worth_a_table(modules: dict[str, list[str]]) -> list[str]:
    """The modules that are there and begun; all that are there while none is begun."""
    there = [module for module in modules if find(module).path.is_file()]
    begun = [module for module in there if find(module).read() != (PACKAGE / f"{module}.py").read_bytes()]
    return begun or there


def _told_in_one_line(modules: list[str]) -> None:
    untouched = [module for module in modules if find(module).path.is_file()]
    missing = [module for module in modules if module not in untouched]
    if untouched:
        say(f"Not begun yet: {', '.join(untouched)}. `llmlab check {untouched[0]}` shows what to write there.", "dim")
    if missing:
        files = ", ".join(f"{module}.py" for module in missing)
        say(f"Missing: {files} in {find(missing[0]).path.parent}. `llmlab update` brings a fresh one.", "red")


def _one(checker: Checker, module: str, tasks: list[str], verbose: bool) -> bool:
    to, waiting = console(), console(stderr=True)
    if waiting.is_terminal:
        with waiting.status(f"checking {module}"):
            found, report = checker.check(module, tasks)
    else:
        found, report = checker.check(module, tasks)
    render.show(report, found.origin, to, verbose)
    root = workspace()
    if root is not None and found.path.is_relative_to(root):
        results.remember(root, report)
    elif root is None and found.origin.startswith("the scaffold"):
        say(
            "This is the empty scaffold: you are not in a workspace. Go to yours, or make one "
            "with `llmlab start DIR`.",
            "yellow",
        )
    say()
    return all(task.status == "ok" for task in report.tasks)


def _again(checker: Checker, module: str, tasks: list[str], verbose: bool) -> None:
    """One round of --watch: a missing file or a lost helper is told, and the watch goes on."""
    began = time.monotonic()
    to = console()
    to.rule(
        Text(f"{module}, saved at {time.strftime('%H:%M:%S')}"),
        align="left",
        style="dim",
        characters="-" if to.options.ascii_only else "─",
    )
    try:
        _one(checker, module, tasks, verbose)
    except (LabModuleError, Stop) as error:
        say(str(error), "red")
    say(f"{time.monotonic() - began:.2f} s after the save was seen. Watching; Ctrl-C ends.", "dim")
