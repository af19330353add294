"""Docstrings of the Python standard library that runs this program: harder text than the templates, and it
loops.

They are read from the installed source at training time and are not stored in the repository. Their text is
under the Python Software Foundation License (see LICENSE-text.md beside the weights). It differs between
Python versions, so its hash is recorded apart from the hash of the procedural text.
"""

from __future__ import annotations

import ast
import inspect
import sysconfig
from pathlib import Path

SKIPPED = {
    "test",
    "tests",
    "idlelib",
    "lib2to3",
    "site-packages",
    "dist-packages",
    "turtledemo",
    "__pycache__",
    "ensurepip",
}


def docstrings(
    limit_bytes: int = 1_500_000, longest: int = 1_600, root: Path | None = None, every: int = 1
) -> list[str]:
    """Up to ``limit_bytes`` of documents ``name(arguments)`` + docstring, no document twice.

    Docstrings shorter than 40 or longer than ``longest`` characters are left out. When there is more than
    fits, every module keeps the same share of its documents. ``root``: another folder to read than the
    standard library. ``every``: read every so many files only, to be quick.
    """
    root = root or Path(sysconfig.get_paths()["stdlib"])
    seen: set[str] = set()
    found: list[str] = []
    for path in sorted(root.rglob("*.py"), key=lambda p: p.relative_to(root).as_posix())[::every]:
        parts = path.relative_to(root).parts
        if SKIPPED.intersection(parts):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue  # a template file that is not Python
        module = ".".join(parts).removesuffix(".py").removesuffix(".__init__")
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text and 40 <= len(text) <= longest and text not in seen:
                    seen.add(text)
                    found.append(f"{_title(module, node)}\n\n{inspect.cleandoc(text)}")
    total = sum(len(d.encode()) for d in found)
    if total <= limit_bytes:
        return found
    keep = limit_bytes / total
    return [d for i, d in enumerate(found) if int((i + 1) * keep) > int(i * keep)]


def _title(module: str, node: ast.AST) -> str:
    if isinstance(node, ast.Module):
        return f"module {module}"
    if isinstance(node, ast.ClassDef):
        return f"class {module}.{node.name}"
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    return f"{module}.{node.name}({ast.unparse(node.args)})"
