"""Finds answers in what students get: a body from `solutions/` in a module, a notebook, a chapter or a page.

Compares syntax trees, not lines.  The tree of a statement is written down without docstrings, annotations,
comments and text, and with every name blanked except builtins and `torch`; so a renamed function, renamed
variables, another layout and other messages are still found.  It does not find an answer that was written
anew in another way, and it does not look at bodies below MIN_NODES: such formulas are taught in public.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bs4 import BeautifulSoup

from llmlab.grading.scaffold import BEGIN, END

MIN_NODES = 30
"""Smallest body, in nodes of the syntax tree, that counts as an answer.

`return logits.argmax(dim=-1)` has 10 nodes, a rule applied after another rule 13: chapters state such lines
as the definition, so finding them proves nothing.  The shortest body of lab 1 with a decision in it has more
than 50.  A test holds that only one-line bodies fall below.
"""

KEPT = frozenset(dir(builtins)) | {"torch"}
MARKERS = (BEGIN, END, "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")
FENCE = re.compile(r"^(```+|~~~+)[^\n]*\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
BLOCKS = (ast.For, ast.While, ast.With, ast.FunctionDef)


@dataclass(frozen=True)
class Answer:
    """One secret: `shape` of a run of statements, and where it comes from."""

    shape: tuple[str, ...]
    origin: str


@dataclass(frozen=True)
class Leak:
    """One finding: the file of the artefact, the line in its piece of code, and what is there."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.what}"


class _Blank(ast.NodeTransformer):
    """Removes what a copy may change without being another answer.  Positions stay."""

    def _body(self, node):
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        return self.generic_visit(node)

    visit_Module = _body

    def visit_ClassDef(self, node):
        node.name = "_"
        return self._body(node)

    def visit_FunctionDef(self, node):
        node.name, node.returns = "_", None
        return self._body(node)

    def visit_arg(self, node):
        return ast.arg(arg="_")

    def visit_Name(self, node):
        return node if node.id in KEPT else ast.Name(id="_", ctx=node.ctx)

    def visit_Constant(self, node):
        return ast.Constant("text") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node):
        return ast.Constant("text")

    def visit_AnnAssign(self, node):
        plain = ast.Assign([node.target], node.value) if node.value is not None else ast.Pass()
        return self.generic_visit(ast.copy_location(plain, node))


def blank(code: str) -> ast.Module:
    """The tree of a piece of code, reduced to what is compared.  Raises SyntaxError or ValueError.

    >>> tree = blank("keep = mass < p\\nok = total < q  # kept\\nkeep = mass <= p")
    >>> one, two, three = map(ast.dump, tree.body)
    >>> one == two, one == three
    (True, False)
    """
    return _Blank().visit(ast.parse(code))


def shape(statements: Iterable[ast.stmt]) -> tuple[str, ...]:
    """A run of statements of a blank tree, written down."""
    return tuple(ast.dump(statement, annotate_fields=False) for statement in statements)


def size(statements: Iterable[ast.stmt]) -> int:
    """The number of nodes in a run of statements."""
    return sum(1 for statement in statements for _ in ast.walk(statement))


def _lists(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every list of statements in a tree, outermost first."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block:
                yield block


class _Index:
    """The statements of a blank tree by what they are, to look many answers up in it."""

    def __init__(self, tree: ast.Module) -> None:
        self.starts: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        for block in _lists(tree):
            shapes = shape(block)
            for start, first in enumerate(shapes):
                self.starts.setdefault(first, []).append((shapes[start:], block[start].lineno))

    def lines(self, answer: Answer) -> list[int]:
        """The lines where the answer begins in the code."""
        runs = self.starts.get(answer.shape[0], [])
        return [line for run, line in runs if run[: len(answer.shape)] == answer.shape]


def _regions(source: str) -> list[tuple[int, int]]:
    """First and last line of every solution region."""
    lines = enumerate(source.splitlines(), 1)
    marks = [(number, line.strip()) for number, line in lines if line.strip() in (BEGIN, END)]
    return [
        (first, last) for (first, mark), (last, _) in zip(marks, marks[1:], strict=False) if mark == BEGIN
    ]


def _units(statements: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """The whole run of statements, and each loop, with-block and function in it by itself."""
    yield statements
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.FunctionDef):
                yield node.body
            elif isinstance(node, BLOCKS):
                yield [node]


def marked(source: str) -> list[list[ast.stmt]]:
    """The runs of statements in the solution regions of a source, blanked; a region that ends one method and holds a
    private one has two.
    """
    tree, runs = blank(source), []
    for first, last in _regions(source):
        taken: set[ast.AST] = set()
        for block in _lists(tree):  # outermost first
            run = [s for s in block if first <= s.lineno and s.end_lineno <= last and s not in taken]
            if run:
                runs.append(run)
                taken |= {node for statement in run for node in ast.walk(statement)}
    return runs


def answers_in(source: str, origin: str) -> list[Answer]:
    """The answers of one file of `solutions/`: its solution regions, or every function if it marks none."""
    if _regions(source):
        runs = marked(source)
    else:
        tree = blank(source)
        runs = [node.body for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    units = [unit for run in runs for unit in _units(run) if size(unit) >= MIN_NODES]
    made = [Answer(shape(unit), f"{origin}, line {unit[0].lineno}") for unit in units]
    return list({answer.shape: answer for answer in reversed(made)}.values())


def answers(solutions: Path, checks: Path | None = None) -> list[Answer]:
    """The answers of every file below `solutions/`: right, wrong and hidden ones.

    Mutants and hidden cases may share a body with the public `checks` (a softmax on lists, a wrong rule that
    a check recognises); such a body is public by decision and left out.  Right answers have no exception.
    Raises ValueError if there are none: a scan against nothing would pass everything.
    """
    texts = [] if checks is None else [path.read_text("utf-8") for path in sorted(checks.rglob("*.py"))]
    public = [_Index(blank(text)) for text in texts]
    files = sorted(solutions.rglob("*.py"))
    found: dict[tuple[str, ...], Answer] = {}
    for file in files:
        inside = file.relative_to(solutions)
        origin = (Path(solutions.name) / inside).as_posix()
        made = answers_in(file.read_text(encoding="utf-8"), origin)
        by_decision = inside.parts[0] in ("mutants", "hidden")
        for answer in made:
            if not (by_decision and any(index.lines(answer) for index in public)):
                found.setdefault(answer.shape, answer)
    if not found:
        raise ValueError(
            f"{solutions} holds no answer to look for ({len(files)} .py files). "
            "Run the scan in the course repository."
        )
    return list(found.values())


def code_blocks(name: str, data: bytes) -> Iterator[tuple[str, bool]]:
    """(code, must be readable) for each piece of code in a file of the artefact; other files give nothing.

    Raises ValueError (UnicodeDecodeError and JSONDecodeError are ones) if the file is damaged.
    """
    kind = name.rpartition(".")[2]
    if kind == "py":
        yield data.decode("utf-8"), True
    elif kind == "ipynb":
        for cell in json.loads(data)["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "code":
                yield re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE), True
            else:
                yield from ((block, False) for _, block in FENCE.findall(source))
    elif kind in ("md", "txt", "rst"):
        yield from ((block, False) for _, block in FENCE.findall(data.decode("utf-8")))
    elif kind == "html":
        soup = BeautifulSoup(data, "html.parser")
        yield from ((block.get_text(), False) for block in soup.find_all("pre"))


def scan_code(file: str, code: str, secrets: list[Answer], readable: bool = True) -> list[Leak]:
    """The leaks in one piece of code.  Unreadable code that must be readable counts."""
    found = [
        Leak(file, number, f"a line {line.strip()!r}: only solutions carry it")
        for number, line in enumerate(code.splitlines(), 1)
        if line.strip() in MARKERS
    ]
    try:
        index = _Index(blank(code))
    except (SyntaxError, ValueError) as error:
        if readable:
            found.append(
                Leak(file, getattr(error, "lineno", None) or 1, f"code that cannot be read ({error})")
            )
        return found
    return found + [
        Leak(file, line, f"the answer of {secret.origin}")
        for secret in secrets
        for line in index.lines(secret)
    ]


def scan(files: Iterator[tuple[str, bytes]], secrets: list[Answer]) -> list[Leak]:
    """The leaks in an artefact, given as (name, bytes) of each file."""
    found = []
    for name, data in files:
        if name.endswith((".pyc", ".pyo")):
            found.append(Leak(name, 1, "compiled code, which hides its source"))
            continue
        try:
            for code, readable in code_blocks(name, data):
                found += scan_code(name, code, secrets, readable)
        except (ValueError, KeyError) as error:
            found.append(Leak(name, 1, f"a file that cannot be read ({error!r})"))
    return found
