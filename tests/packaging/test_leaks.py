"""The scan for answers finds planted ones in every disguise it promises, and nothing in what is public."""

from __future__ import annotations

import ast
import json
import textwrap
from pathlib import Path

import pytest

from llmlab._finder import LAB_MODULES
from llmlab.grading import leaks

ROOT = Path(__file__).resolve().parents[2]
SECRET = '''
import torch


def nucleus(logits, p):
    """Keep the smallest set of tokens with mass p."""
    ### BEGIN SOLUTION
    if not 0 < p <= 1:
        raise ValueError(f"p must be in (0, 1], got {p}")
    ordered, order = logits.sort(dim=-1, descending=True)
    before = ordered.softmax(dim=-1).cumsum(dim=-1) - ordered.softmax(dim=-1)
    return logits.masked_fill((before >= p).gather(-1, order.argsort(dim=-1)), float("-inf"))
    ### END SOLUTION


def given(logits):
    total = 0
    for row in logits:
        for value in row:
            total += float(value) * float(value) + 2 * float(value) + 1
    return total / max(1, len(logits))


### BEGIN SOLUTION
def _helper(rows, width):
    out = []
    for row in rows:
        out.append([0] * (width - len(row)) + [int(value) for value in row])
    return out
### END SOLUTION


def soft(logits, temperature):
    ### BEGIN SOLUTION
    return (logits / temperature).softmax(dim=-1)
    ### END SOLUTION
'''
BODY = SECRET.split("### BEGIN SOLUTION\n")[1].split("    ### END")[0]
RENAMED = '''
from __future__ import annotations
import torch


def keep_most(z: torch.Tensor, mass: float = 0.9) -> torch.Tensor:
    """Another story."""
    # another comment
    if not 0 < mass <= 1:
        raise ValueError(
            "what a mass")
    a, b = z.sort(dim=-1, descending=True)
    c: torch.Tensor = a.softmax(dim=-1).cumsum(dim=-1) - a.softmax(dim=-1)
    return z.masked_fill((c >= mass).gather(-1, b.argsort(dim=-1)), float("-inf"))
'''
SCAFFOLD = SECRET.replace(BODY, "    raise NotImplementedError('Lab 1')\n")
SCAFFOLD = "\n".join(
    line for line in SCAFFOLD.split("### BEGIN SOLUTION\ndef _helper")[0].splitlines() if "### " not in line
)


def secrets() -> list[leaks.Answer]:
    return leaks.answers_in(SECRET, "solutions/x.py")


def notebook(*cells: str, kind: str = "code") -> bytes:
    return json.dumps({"cells": [{"cell_type": kind, "source": cell} for cell in cells]}).encode()


def indent(code: str) -> str:
    return textwrap.indent(code, "    ")


PLANTED = {
    "the file itself": ("llmlab/decoding.py", SECRET.replace("### ", "# ").encode()),
    "another name for function, arguments and variables": ("llmlab/tools.py", RENAMED.encode()),
    "a method of a class": (
        "llmlab/tools.py",
        ("class Sampler:\n" + indent("def keep" + RENAMED.split("def keep")[1])).encode(),
    ),
    "a notebook cell": ("lab1/lab1.ipynb", notebook("1 + 1", "%matplotlib inline\n" + RENAMED)),
    "after another line": ("lab1/lab1.ipynb", notebook("def f(logits, p):\n    print('first')\n" + BODY)),
    "code quoted in a text cell": (
        "lab1/lab1.ipynb",
        notebook("Look:\n```python\n" + RENAMED + "```\n", kind="markdown"),
    ),
    "a chapter's source": ("book/_sources/a.md", ("# A\n\n```{code-cell}\n" + RENAMED + "```\n").encode()),
    "a page": (
        "book/a.html",
        (
            "<pre><span>" + RENAMED.replace("<", "&lt;").replace("def", "<b>def</b>") + "</span></pre>"
        ).encode(),
    ),
    "a private helper under another name": (
        "llmlab/util.py",
        b"def pad(a, b):\n    c = []\n    for d in a:\n"
        b"        c.append([0] * (b - len(d)) + [int(e) for e in d])\n    return c\n",
    ),
    "only the loop of that helper": (
        "llmlab/util.py",
        b"c, b, a = [], 3, [[1]]\nprint(b)\nfor d in a:\n"
        b"    c.append([0] * (b - len(d)) + [int(e) for e in d])\n",
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_answer_is_found(case: str) -> None:
    name, data = PLANTED[case]
    found = leaks.scan(iter([("clean.py", b"x = 1\n"), (name, data)]), secrets())
    assert found, case
    assert all(leak.file == name and "solutions/x.py" in leak.what for leak in found)


PUBLIC = {
    "the scaffold, with code given to students": ("llmlab/x.py", SCAFFOLD.encode()),
    "a formula that chapters teach": (
        "book/a.md",
        b"```python\nprobabilities = (logits / temperature).softmax(dim=-1)\n"
        b"def soft(z, t):\n    return (z / t).softmax(dim=-1)\n```\n",
    ),
    "a wrong rule that looks like the right one": (
        "book/a.md",
        RENAMED.replace("c >= mass", "c > mass").encode(),
    ),
    "prose and output in a page": ("book/a.html", b"<pre>tensor([1, 2)\n >>> not python</pre><p>p</p>"),
    "weights": ("llmlab/models/weights/a.safetensors", bytes(range(256))),
}


@pytest.mark.parametrize("case", PUBLIC)
def test_what_is_public_passes(case: str) -> None:
    assert leaks.scan(iter([PUBLIC[case]]), secrets()) == []


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.pyc", b"\x00", "compiled"),
        ("a.py", b"def f(:\n", "cannot be read"),
        ("a.py", b"\xff\xfe", "cannot be read"),
        ("a.ipynb", b"{", "cannot be read"),
        ("a.ipynb", notebook("def f(:"), "cannot be read"),
        ("a.py", b"def f():\n    ### BEGIN SOLUTION\n    pass\n", "only solutions carry it"),
        ("a.ipynb", notebook("### BEGIN HIDDEN TESTS\nassert 1"), "only solutions carry it"),
    ],
)
def test_what_cannot_be_vouched_for_is_a_finding(name: str, data: bytes, said: str) -> None:
    assert [leak for leak in leaks.scan(iter([(name, data)]), secrets()) if said in leak.what]


def test_what_checks_say_in_public_is_no_secret_of_hidden_cases_but_a_solution_stays_one(
    tmp_path: Path,
) -> None:
    shared = RENAMED.split("import torch\n")[1]
    for folder in ("solutions/hidden", "checks", "empty"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "checks" / "rows.py").write_text(shared)
    (tmp_path / "solutions" / "hidden" / "x.py").write_text(
        shared + PLANTED["a private helper under another name"][1].decode()
    )
    one = [("a.py", shared.encode())]
    with_checks = leaks.answers(tmp_path / "solutions", tmp_path / "checks")
    assert leaks.scan(iter(one), with_checks) == []
    assert leaks.scan(iter([PLANTED["a private helper under another name"]]), with_checks)
    assert leaks.scan(iter(one), leaks.answers(tmp_path / "solutions", tmp_path / "empty"))
    (tmp_path / "solutions" / "x.py").write_text(SECRET)
    assert leaks.scan(iter(one), leaks.answers(tmp_path / "solutions", tmp_path / "checks"))


def test_an_empty_answer_book_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "solutions").mkdir()
    with pytest.raises(ValueError, match="no answer to look for"):
        leaks.answers(tmp_path / "solutions")


@pytest.mark.parametrize("module", LAB_MODULES)
def test_only_one_line_bodies_are_below_the_threshold(module: str) -> None:
    """Every marked body of the real solutions is looked for, except single short statements."""
    source = (ROOT / "solutions" / f"{module}.py").read_text(encoding="utf-8")
    known = {answer.shape for answer in leaks.answers_in(source, module)}
    looked_for = 0
    for body in leaks.marked(source):
        if leaks.shape(body) in known:
            looked_for += 1
        else:
            formula = [line for line in body if not isinstance(line, ast.Expr)]  # beside calls that check arguments
            assert len(formula) == 1 and leaks.size(body) < leaks.MIN_NODES, ast.unparse(body)
    assert looked_for >= 3


def test_a_region_that_ends_a_method_and_holds_a_private_one_gives_both() -> None:
    source = textwrap.dedent("""
        class Box:
            def take(self):
                ### BEGIN SOLUTION
                for one in range(3):
                    self.kept[one] = self.kept.get(one, 0) + one * one + 1 - self.low
                return sorted(self.kept)

            def _check(self, block):
                for one in range(7):
                    if one == block and self.low < block and not self.kept.get(block, 0) + 1:
                        raise ValueError(one)
                ### END SOLUTION
    """)
    first, second = leaks.marked(source)
    assert {type(first[0]).__name__, type(second[0]).__name__} == {"FunctionDef", "For"}
    assert len(leaks.answers_in(source, "x")) >= 2
