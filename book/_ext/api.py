"""API pages from the docstrings, and the two editions of the book.

    ```{eval-rst}
    .. automodule:: llmlab.decoding
       :members:
    ```

is Sphinx's autodoc. It takes docstrings for reStructuredText; ours are plain text with shapes such as (..., V) and
formulas such as 2*n*k. So each is turned into reStructuredText that shows the same words (docstrings.py), followed by
the task that checks the function. A page documents the scaffold: the solution is never imported.

The edition is LLMLAB_EDITION: "student", the default, or "instructor". In the instructor's, every function and class
of a lab has two tabs, the scaffold and the solution, and `{solution-helpers}` shows what a solution has besides. In
the student's this file does not open `solutions/`; tests/book looks for answers in all of its pages.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

from docstrings import as_rst
from docutils import nodes
from docutils.statemachine import StringList
from i18n import _
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

from llmlab import _finder

EDITIONS = ("student", "instructor")
MARKERS = ("### BEGIN SOLUTION", "### END SOLUTION")
INDENT = "   "
PAGES = "book/reference/"
Definition = ast.FunctionDef | ast.ClassDef


def check_edition(app: Sphinx, config: Config) -> None:
    """Raise ConfigError for an edition that there is not; nobody should get the wrong one by a slip of the pen."""
    if config.llmlab_edition not in EDITIONS:
        raise ConfigError(f"LLMLAB_EDITION={config.llmlab_edition!r} is not one of {', '.join(EDITIONS)}")


def use_scaffolds(app: Sphinx) -> None:
    """Document the scaffolds, whatever LLMLAB_CODE says: that variable is for the chapters' kernels."""
    _finder.use(_finder.PACKAGE)


def definitions(source: str) -> dict[str, Definition]:
    """Functions and classes of a module by name, private ones too.

    >>> list(definitions("def f(): pass\\nclass C: pass\\nx = 1"))
    ['f', 'C']
    """
    return {node.name: node for node in ast.parse(source).body if isinstance(node, Definition)}


def code_of(source: str, name: str) -> str:
    """A function or class as text, without its own docstring and without the marks of nbgrader.

    >>> code_of('def f(x):\\n    "About."\\n    ### BEGIN SOLUTION\\n    return x + 1\\n    ### END SOLUTION\\n', "f")
    'def f(x):\\n    return x + 1'
    """
    node, lines = definitions(source)[name], source.splitlines()
    first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
    about = node.body[0] if ast.get_docstring(node) is not None else None
    kept = [
        line
        for number, line in enumerate(lines[first - 1 : node.end_lineno], first)
        if line.strip() not in MARKERS and not (about and about.lineno <= number <= (about.end_lineno or 0))
    ]
    return "\n".join(kept)


def both(scaffold: str, solution: str) -> list[str]:
    """reStructuredText of two tabs, a function or class in the scaffold and in the solution."""
    made = ["", ".. tab-set::", ""]
    for title, code in ((_("Scaffold"), scaffold), (_("Solution"), solution)):
        made += [f"{INDENT}.. tab-item:: {title}", "", f"{INDENT * 2}.. code-block:: python", ""]
        made += [INDENT * 3 + line for line in code.splitlines()] + [""]
    return made


def task_terms(module: str, name: str) -> list[str]:
    """What checks a function, as reStructuredText; nothing if no task does."""
    from llmlab.checks import registry

    made = []
    for task in registry.tasks(module):
        if task.function == name:
            groups = ", ".join(f"{group} {points:g}" for group, points in task.groups.items())
            label = task.read.partition("#")[2]
            points = _("points: {n:g}").format(n=task.points)
            made += [
                str(_("Checked by")),
                f"{INDENT}``llmlab check {task.id}``, {points} ({groups})",
                str(_("Read")),
                f"{INDENT}:ref:`{label}`",
            ]
    return ["", ".. container:: api-terms", "", *(INDENT + line for line in made), ""] if made else []


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Replace a docstring, in place: the same words as reStructuredText, the task, and for instructors both codes."""
    parameters = set(getattr(getattr(obj, "__code__", None), "co_varnames", ()))
    if what == "class":
        parameters |= set(getattr(getattr(obj.__init__, "__code__", None), "co_varnames", ()))
    lines[:] = as_rst(lines, parameters)
    module, dot, rest = name.removeprefix("llmlab.").partition(".")
    if module not in _finder.LAB_MODULES or not dot or "." in rest or what not in ("function", "class", "exception"):
        return
    lines += task_terms(module, rest)
    if app.config.llmlab_edition == "instructor":
        files = sources(Path(app.srcdir), module)
        app.env.note_dependency(str(files[1]))
        scaffold, solution = (code_of(file.read_text(encoding="utf-8"), rest) for file in files)
        lines += both(scaffold, solution) if scaffold != solution else []


def sources(root: Path, module: str) -> tuple[Path, Path]:
    """The files of a lab module: scaffold and solution."""
    return root / "llmlab" / f"{module}.py", root / "solutions" / f"{module}.py"


class Straight(SphinxTransform):
    """Leave quotes, dots and dashes of API pages as they were typed: (..., V) is a shape, and --watch an option."""

    default_priority = 740  # just before Sphinx makes them curly

    def apply(self, **kwargs: Any) -> None:
        if self.env.docname.startswith(PAGES):
            self.document["support_smartquotes"] = False


class SolutionHelpers(SphinxDirective):
    """Functions and classes that a solution has and its scaffold has not. Nothing in the student's edition."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        if self.config.llmlab_edition != "instructor":
            return []
        scaffold, solution = sources(Path(self.env.srcdir), self.arguments[0])
        self.env.note_dependency(str(solution))
        text = solution.read_text(encoding="utf-8")
        public = definitions(scaffold.read_text(encoding="utf-8"))
        helpers = [code_of(text, name) for name in definitions(text) if name not in public]
        if not helpers:
            return []
        said = nodes.paragraph("", str(_("What the solution has besides:")))
        code = "\n\n\n".join(helpers)
        return [said, nodes.literal_block(code, code, language="python")]


class ModuleTable(SphinxDirective):
    """The lab modules: what each is about, its tasks and points."""

    def run(self) -> list[nodes.Node]:
        from llmlab.checks import registry

        heads = (_("lab"), _("module"), _("what it is about"), _("tasks"), _("points"))
        lines = ["| " + " | ".join(map(str, heads)) + " |", "|---|---|---|--:|--:|"]
        for lab, modules in _finder.LABS.items():
            for module in modules:
                tasks = registry.tasks(module)
                path = _finder.PACKAGE / f"{module}.py"
                self.env.note_dependency(str(path))
                about = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
                lines.append(
                    f"| {lab} | [{module}](api/{module}.md) | {about.rstrip('.')} | {len(tasks)} "
                    f"| {sum(task.points for task in tasks):g} |"
                )
        box = nodes.container()
        self.state.nested_parse(StringList(lines, self.get_source_info()[0]), self.content_offset, box)
        return box.children


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("sphinx.ext.autodoc")
    app.add_config_value("llmlab_edition", os.environ.get("LLMLAB_EDITION") or EDITIONS[0], "env", [str])
    app.connect("config-inited", check_edition)
    app.connect("builder-inited", use_scaffolds)
    app.connect("autodoc-process-docstring", process)
    app.add_transform(Straight)
    app.add_directive("solution-helpers", SolutionHelpers)
    app.add_directive("module-table", ModuleTable)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
