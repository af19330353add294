"""The grader is graded: the solution and every legal alternative pass, every mutant dies by name, no scaffold passes."""

import ast

import pytest

from llmlab._finder import LAB_MODULES, PACKAGE
from llmlab.checks import registry
from llmlab.grading import scaffold, variants
from llmlab.grading.course import course

MUTANTS = [(module, mutant) for module in LAB_MODULES for mutant in variants.mutants(module)]
ALTERNATIVES = [(module, variant) for module in LAB_MODULES for variant in variants.alternatives(module)]


def told(report) -> str:
    return "\n\n".join(task.failure.text() for task in report.tasks if task.failure)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("module", LAB_MODULES)
def test_the_solution_gets_every_point(report, module, seed):
    found = report(module, variants.solution(module), seed)
    assert found.earned == found.points > 0, told(found)


@pytest.mark.parametrize("module", LAB_MODULES)
def test_the_solution_passes_the_hidden_cases(report, module):
    found = report(module, variants.solution(module), hidden=True)
    assert found.earned == found.points, told(found)


@pytest.mark.parametrize(("module", "variant"), ALTERNATIVES, ids=lambda x: getattr(x, "name", x))
def test_a_legal_alternative_gets_every_point(report, module, variant):
    for hidden in (False, True):
        found = report(module, variant.source, hidden=hidden)
        assert found.earned == found.points, told(found)


@pytest.mark.parametrize(("module", "mutant"), MUTANTS, ids=lambda x: getattr(x, "name", x))
def test_a_mutant_dies_by_name(report, module, mutant):
    """With the public cases and with the hidden ones, and it never keeps all points of its task."""
    for hidden in (False, True):
        task = report(module, mutant.source, only=mutant.task, hidden=hidden).task(mutant.task)
        assert task.earned < task.points
        assert "check-failed" not in {group.failure.misconception for group in task.groups if group.failure}
        said = {group.failure.misconception for group in task.groups if group.failure}
        assert mutant.says in said, f"{mutant.name}: {[g.failure.text() for g in task.groups if g.failure]}"


@pytest.mark.parametrize("module", LAB_MODULES)
def test_there_are_enough_mutants(module):
    """At least six for a module that has six tasks or more, and one for each task."""
    mutants = [mutant for owner, mutant in MUTANTS if owner == module]
    tasks = {task.id for task in registry.tasks(module)}
    assert len(mutants) >= min(6, len(tasks))
    assert {mutant.task for mutant in mutants} == tasks


@pytest.mark.parametrize("module", LAB_MODULES)
def test_a_scaffold_fails_every_task_and_names_it(report, module):
    found = report(module, (PACKAGE / f"{module}.py").read_bytes())
    assert found.earned == 0
    for task in found.tasks:
        assert task.status == "not-written", task.failure.text()
        lab = registry.tasks(task.id)[0].lab.replace("lab", "Lab ")
        for group in task.groups:
            assert f"{lab}, task {task.id}" in group.failure.message


def test_scaffolds_do_not_drift():
    for module, text in scaffold.scaffolds(course()).items():
        assert (PACKAGE / f"{module}.py").read_text(encoding="utf-8") == text, f"llmlab/{module}.py: run `make scaffolds`"


@pytest.mark.parametrize("module", LAB_MODULES)
def test_a_scaffold_keeps_signatures_and_docstrings(module):
    def contracts(source: str):
        """Name -> contract, of functions, classes and public methods ("Class.method")."""
        found = {}
        for node in ast.parse(source).body:
            inside = node.body if isinstance(node, ast.ClassDef) else []
            for one, name in [(node, "")] + [(method, f"{node.name}.") for method in inside]:
                if isinstance(one, ast.FunctionDef | ast.ClassDef) and (not one.name.startswith("_") or one.name == "__init__"):
                    signature = ast.unparse(one.args if isinstance(one, ast.FunctionDef) else ast.List(one.bases, ast.Load()))
                    found[name + one.name] = signature, ast.get_docstring(one)
        return found

    tasks = {task.function for task in registry.tasks(module)}
    solved = contracts(variants.solution(module).decode())
    assert contracts((PACKAGE / f"{module}.py").read_text(encoding="utf-8")) == solved
    for name, (_, doc) in solved.items():
        assert doc or name.endswith(".__init__"), f"{name} has no contract"
        assert ">>>" in (doc or "") or "." in name or name not in tasks, f"{name} has no worked example"
    assert tasks <= set(solved)


@pytest.mark.parametrize("module", LAB_MODULES)
def test_the_worked_examples_of_the_solution_are_true(module):
    import doctest
    import types

    found = types.ModuleType(module)
    exec(compile(variants.solution(module), module, "exec"), found.__dict__)
    assert doctest.testmod(found).failed == 0
