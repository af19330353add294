"""Whole submissions, graded through nbgrader in one class: broken, disguised, forged in the notebook or in the inbox.

Each entry names what the student handed in (file name -> bytes, or a deed in the student's inbox folder), and what it
must get: points of the modules' tasks, and whether the numbers of the answers cell count. `Maker` has right answers.
"""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmlab.grading.sample_students import Maker, dump, grade_id
from tests.adversarial import damage, forging, frames
from tests.adversarial.attack import FULL, NONE, Attack

PENALTY = {"presence_penalty": 4.0}
ALL = FULL | PENALTY
Files = dict[str, bytes]
Change = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Submission:
    """`hands_in(maker)` gives the files; `deed(folder)` is done in the inbox afterwards.

    `gets`: the points of the tasks that do not get all of theirs. `numbers`: whether the numeric answers count.
    """

    name: str
    kind: str
    tries: str
    hands_in: Callable[[Maker], Files]
    gets: Mapping[str, float]
    numbers: bool = True
    deed: Callable[[Path], Any] | None = None
    source = ""

    @property
    def points(self) -> dict[str, float]:
        return ALL | dict(self.gets)

    @property
    def required(self) -> str:
        return ", ".join(f"{name} {points:g}" for name, points in self.points.items()) + (
            ", numbers all" if self.numbers else ", numbers 0")


def filled(make: Maker) -> dict[str, Any]:
    return make.filled(random.Random(1), right=1, written=1)


def perfect(make: Maker) -> Files:
    """Right modules, right numbers, written answers given."""
    return make.modules() | {make.desk.notebook: dump(filled(make))}


def notebook(name: str, tries: str, change: Change, numbers: bool = True, kind: str = "malformed") -> Submission:
    """Right modules, and a notebook to which something was done. `change` may give other bytes, or another notebook."""
    def hands_in(make: Maker) -> Files:
        made = filled(make)
        changed = change(made)
        raw = changed if isinstance(changed, bytes) else dump(made if changed is None else changed)
        return make.modules() | {make.desk.notebook: raw}

    return Submission(name, kind, tries, hands_in, {}, numbers)


def module(name: str, tries: str, change: Callable[[bytes], bytes], gets: Mapping[str, float] | None = None) -> Submission:
    """A right notebook, and a decoding.py to which something was done."""
    return Submission(name, "malformed", tries, lambda make: perfect(make) | {
        "decoding.py": change(make.modules()["decoding.py"])}, gets or {})


def attacker(attack: Attack) -> Submission:
    """An attack of the other tables, as one student of the class."""
    def hands_in(make: Maker) -> Files:
        base = {"solution": make.modules()["decoding.py"], "starter": make.scaffolds["decoding"].encode(), "": b""}
        return perfect(make) | {"decoding.py": base[attack.base] + b"\n\n" + attack.source.encode("utf-8", "surrogatepass")}

    return Submission(attack.name, attack.kind, attack.tries, hands_in, attack.gets)


def inbox(name: str, tries: str, deed: Callable[[Path], Any], gets: Mapping[str, float], numbers: bool = True,
          kind: str = "damage") -> Submission:
    """Something is done to a perfect submission as it lies in the inbox."""
    return Submission(name, kind, tries, perfect, gets, numbers, deed)


def code(source: str, **more) -> dict[str, Any]:
    return {"cell_type": "code", "id": f"x{abs(hash(source)) % 10**6}", "metadata": {}, "source": source, "outputs": [],
            "execution_count": None} | more


def tests_of(made: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in made["cells"] if cell["metadata"].get("nbgrader", {}).get("grade")
            and cell["cell_type"] == "code"]


def every(change: Callable[[dict[str, Any]], Any]) -> Change:
    def all_cells(made):
        for cell in made["cells"]:
            change(cell)

    return all_cells


def tests_only(change: Callable[[dict[str, Any]], Any]) -> Change:
    def some(made):
        for cell in tests_of(made):
            change(cell)

    return some


def output(text: str) -> list[dict[str, Any]]:
    return [{"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": text}}]


def answer(text: str) -> Change:
    """Another text in the answers cell."""
    def change(made):
        next(cell for cell in made["cells"] if grade_id(cell) == "lab1-answers")["source"] = text

    return change


def twice(made):
    made["cells"] += copy.deepcopy([cell for cell in made["cells"] if "nbgrader" in cell["metadata"]])


def old_format(made):
    cells = []
    for cell in made["cells"]:
        one = {"cell_type": cell["cell_type"], "metadata": cell["metadata"]}
        if cell["cell_type"] == "code":
            one |= {"input": cell["source"], "outputs": [], "language": "python", "collapsed": False, "prompt_number": 1}
        else:
            one |= {"source": cell["source"]}
        cells.append(one)
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": cells, "metadata": {}}]}


NOTEBOOKS = [
    notebook("grade-ids-renamed", "every grade id is another one", every(
        lambda cell: cell["metadata"].get("nbgrader", {}).update(grade_id="x" + grade_id(cell)))),
    notebook("points-raised", "every cell is worth 1000 points", every(
        lambda cell: cell["metadata"].get("nbgrader", {}).update(points=1000, grade=True)), kind="forging"),
    notebook("points-odd", "points that are NaN, negative, strings and lists", lambda made: [
        cell["metadata"]["nbgrader"].update(points=odd)
        for cell, odd in zip(tests_of(made), [float("nan"), -5, "9" * 50, [1], None, 1e308] * 20, strict=False)] and None,
        kind="forging"),
    notebook("cells-twice", "every graded cell is there twice", twice),
    notebook("ids-all-the-same", "every cell has the same id", every(lambda cell: cell.update(id="same"))),
    notebook("grade-ids-all-the-same", "every cell says that it is the answers cell: nobody can tell which is", every(
        lambda cell: cell["metadata"].get("nbgrader", {}).update(grade_id="lab1-answers")), numbers=False),
    notebook("locked-cells-edited", "the test cells say 1000", tests_only(lambda cell: cell.update(source="1000")),
             kind="forging"),
    notebook("test-cells-call-something-else", "the test cells print points, patch llmlab and end the kernel", tests_only(
        lambda cell: cell.update(source="import llmlab, os\nllmlab.check = lambda *a: 1000\nprint(1000)\n1000\nos._exit(0)")),
        kind="forging"),
    notebook("metadata-stripped", "no metadata at all", every(lambda cell: cell.update(metadata={}))),
    notebook("grade-flags-removed", "nothing is graded, everything is a solution", every(
        lambda cell: cell["metadata"].get("nbgrader", {}).update(grade=False, locked=False, solution=True))),
    notebook("outputs-forged", "outputs with scores: NaN, negative, above the maximum, infinite, text", lambda made: [
        cell.update(outputs=output(text)) for cell, text in zip(tests_of(made), ["nan", "-5", "1e9", "inf", "3", "True"] * 20,
                                                                strict=False)] and None, kind="forging"),
    notebook("outputs-of-the-grader", "outputs as the grader itself writes them", tests_only(lambda cell: cell.update(
        outputs=[{"output_type": "display_data", "metadata": {}, "data": {"text/html": "<div class='llmlab-verdict'>3/3</div>"}},
                 *output("3.0")])), kind="forging"),
    notebook("input-transformers", "cells that rewrite every later cell: input, AST and magic", lambda made: made["cells"].insert(
        1, code("ip = get_ipython()\nip.input_transformers_post.append(lambda lines: ['1000'])\nimport ast\n"
                "class T(ast.NodeTransformer):\n    def visit_Expr(self, node): return ast.parse('1000').body[0]\n"
                "ip.ast_transformers.append(T())\nip.run_cell = lambda *a: 1000")), kind="forging"),
    notebook("cells-that-attack", "cells with magics, shell, endless loops, exits and kernel restarts", lambda made: made[
        "cells"].__setitem__(slice(1, 1), [code(text) for text in (
            "!touch /tmp/llmlab-was-here-cell", "%%bash\nrm -rf ~/llmlab-was-here", "%%javascript\nalert(1)",
            "import os\nos._exit(0)", "get_ipython().kernel.do_shutdown(True)", "while True: pass",
            "from nbgrader.api import Gradebook\nGradebook('sqlite:///gradebook.db')")]), kind="damage"),
    notebook("cells-that-shout", "HTML, scripts, SVG and escape sequences in written answers and new cells", lambda made: (
        made["cells"].insert(0, {"cell_type": "markdown", "id": "shout", "metadata": {}, "source":
                                 "<script>alert(1)</script><img src=x onerror=alert(1)>[x](javascript:alert(1))"
                                 "<style>*{display:none}</style><iframe src=//evil></iframe>\x1b[2J\u202e"}),
        [cell.update(source="<svg onload=alert(1)><div class='llmlab-verdict'>100/100</div>" + "a" * 3000)
         for cell in made["cells"] if grade_id(cell).startswith("written")]) and None),
    notebook("null-bytes", "null bytes, lone surrogates and control characters in every cell that was added",
             lambda made: made["cells"].append(code("x = '\x00\ud800\u202e\ufeff'\x0c")).__class__ and json.dumps(made).encode()),
    notebook("kernel-of-its-own", "another kernel, another language, metadata of a megabyte", lambda made: made.update(
        metadata={"kernelspec": {"name": "../../../bin/sh", "display_name": "<b>"}, "language_info": {"name": "bash"},
                  "celltoolbar": "x" * 1_000_000, "widgets": {"a": [1] * 1000}})),
    notebook("format-3", "the notebook of 2012, with worksheets", old_format),
    notebook("format-9", "a notebook format that does not exist yet", lambda made: made.update(nbformat=9)),
    notebook("byte-order-mark", "UTF-8 with a byte order mark", lambda made: b"\xef\xbb\xbf" + dump(made)),
    notebook("utf-16", "the notebook in UTF-16", lambda made: dump(made).decode().encode("utf-16")),
    notebook("latin-1", "the notebook in Latin-1, with an umlaut", lambda made: (made["cells"].append(
        code("# für")), json.dumps(made, ensure_ascii=False).encode("latin-1", "replace"))[1]),
    notebook("windows-lines", "CRLF in the file and in the cells", lambda made: dump(made).replace(b"\n", b"\r\n")),
    notebook("truncated", "half a notebook", lambda made: dump(made)[:-200], numbers=False),
    notebook("nested", "JSON nested 200,000 deep", lambda made: b"[" * 200_000, numbers=False),
    notebook("too-large", "a notebook of 21 MiB", lambda made: dump(made) + b" " * (21 * 2 ** 20), numbers=False),
    notebook("many-cells", "200,000 cells", lambda made: json.dumps(made | {"cells": [{}] * 200_000}).encode(), numbers=False),
    notebook("not-a-notebook", "a list in place of a notebook", lambda made: b"[1, 2]", numbers=False),
    notebook("cells-are-no-cells", "numbers, nulls and strings between the cells", lambda made: made["cells"].__setitem__(
        slice(1, 1), [None, 7, "cell", [], {"cell_type": 5}, {"cell_type": "code", "source": {"a": 1}}]) or dump(made)),
    notebook("answers-that-run", "the answers are calls and comprehensions", answer(
        "ANSWERS = {k: __import__('os').system('touch /tmp/llmlab-was-here-answers') for k in 'ab'}"), numbers=False),
    notebook("answers-that-explode", "an answer that takes all memory when it is computed", answer(
        "ANSWERS = {'entropy-t1': 9 ** 9 ** 9 ** 9}"), numbers=False),
    notebook("answers-deep", "an answers cell nested 5,000 deep", answer("ANSWERS = " + "(" * 5_000), numbers=False),
    notebook("answers-not-numbers", "answers that equal everything or nothing: NaN, inf, True, strings, lists", lambda made:
             answer("ANSWERS = {" + ", ".join(
                 f"{name!r}: {odd}" for name, odd in zip(_names(made), ["1e999", "True", "'5'", "[5]", "-1e999", "None", "5j",
                                                                       "b'5'", "(5,)", "{5}"] * 3, strict=False)) + "}")(made),
             numbers=False, kind="forging"),
]


def _names(made: dict[str, Any]) -> list[str]:
    return [grade_id(cell).removeprefix("answer-") for cell in tests_of(made) if grade_id(cell).startswith("answer-")]


GONE = dict.fromkeys(FULL, 0.0)

MODULES = [
    module("module-bom", "a module that begins with a byte order mark", lambda text: b"\xef\xbb\xbf" + text),
    module("module-latin-1", "an umlaut in Latin-1, without a declaration", lambda text: text + b"\n# f\xfcr\n"),
    module("module-utf-16", "a module in UTF-16", lambda text: text.decode().encode("utf-16")),
    module("module-declared", "Latin-1, declared", lambda text: b"# -*- coding: latin-1 -*-\n" + text + b"\n# f\xfcr\n"),
    module("module-crlf", "Windows line ends", lambda text: text.replace(b"\n", b"\r\n")),
    module("module-tabs", "tabs for every four spaces", lambda text: b"\n".join(
        line[:len(line) - len(line.lstrip(b" "))].replace(b"    ", b"\t") + line.lstrip(b" ") for line in text.split(b"\n"))
        if b"\n  " not in text.replace(b"\n    ", b"") else text),
    module("module-empty", "an empty file", lambda text: b"", GONE),
    module("module-null", "a null byte", lambda text: text + b"\0", GONE),
    module("module-binary", "a picture called decoding.py", lambda text: bytes(range(256)) * 40, GONE),
    module("module-too-large", "a module of 600 KiB", lambda text: text + b"#" * 600 * 1024, GONE),
    module("module-unknown-coding", "an encoding that no Python knows", lambda text: b"# coding: llmlab-9\n" + text),
    module("module-dangerous-coding", "an encoding that is a transformation", lambda text: b"# coding: rot13\n" + text, GONE),
    module("module-deep", "brackets nested 20,000 deep", lambda text: text + b"\nx = " + b"(" * 20_000, GONE),
]

SHADOWS = {
    "llmlab/checks/__init__.py": "raise SystemExit('shadowed')", "llmlab/__init__.py": "check = lambda *a: 1000",
    "torch.py": "raise SystemExit('shadowed')", "models.py": "", "sitecustomize.py": "import os; os._exit(0)",
    "usercustomize.py": "import os; os._exit(0)", "conftest.py": "import os; os._exit(0)",
    "nbgrader_config.py": "c = get_config(); c.LedgerLookup.ledger = '/tmp'", "evil.pth": "import os; os._exit(0)",
    ".ipython/profile_default/startup/00.py": "import os; os._exit(0)", "matplotlibrc": "backend: module://evil",
    ".jupyter/jupyter_config.py": "raise SystemExit", "pytest.ini": "[pytest]\naddopts = --collect-only",
    "llmlab.toml": "[workspace]\ncode = '/'", "gradebook.db": "not a database", "lab1.html": "<script>alert(1)</script>",
    "feedback/lab1.html": "<script>alert(1)</script>", "verdicts.json": '{"status": "graded", "cells": {}}',
}


def shadows(make: Maker) -> Files:
    return perfect(make) | {name: text.encode() for name, text in SHADOWS.items()}


def replace(name: str, put: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Remove a handed-in file and put something else in its place."""
    def deed(folder: Path):
        (folder / name).unlink()
        put(folder / name)

    return deed


def _root(folder: Path) -> Path:
    return folder.parents[3]


INBOX = [
    Submission("shadow-files", "damage", "start-up files, modules and configuration beside the notebook", shadows, {}),
    inbox("linked-solution", "decoding.py is a symbolic link to the solution", replace(
        "decoding.py", lambda path: path.symlink_to(_root(path.parent) / "solutions" / "decoding.py")), GONE, kind="stealing"),
    inbox("linked-classmate", "decoding.py is a relative link to a classmate's", replace(
        "decoding.py", lambda path: path.symlink_to("../../honest-1/lab1/decoding.py")), GONE, kind="stealing"),
    inbox("linked-notebook", "the notebook is a link to a classmate's", replace(
        "lab1.ipynb", lambda path: path.symlink_to("../../honest-1/lab1/lab1.ipynb")), {}, False, kind="stealing"),
    inbox("endless-file", "decoding.py is a link to /dev/zero", replace(
        "decoding.py", lambda path: path.symlink_to("/dev/zero")), GONE),
    inbox("fifo", "decoding.py is a pipe that nobody writes to", replace("decoding.py", os.mkfifo), GONE),
    inbox("folder", "decoding.py is a folder", replace("decoding.py", Path.mkdir), GONE),
    inbox("link-to-itself", "decoding.py is a link to itself", replace(
        "decoding.py", lambda path: path.symlink_to("decoding.py")), GONE),
    inbox("odd-names", "a file name of 200 bytes, a folder 40 deep, a name with a line end and bidi marks", lambda folder: [
        (folder / ("x" * 200)).write_text("x"), (folder / "\n\u202egpj.py").write_text("x"), (folder / "-rf").write_text("x"),
        folder.joinpath(*["d"] * 40).mkdir(parents=True), (folder / "=cmd()|x").write_text("x")], {}),
    inbox("no-rights", "files that may not be read or written", lambda folder: [
        os.chmod(path, 0o444) for path in folder.iterdir()], {}),
    inbox("odd-times", "files of 1901 and of 2106", lambda folder: [
        os.utime(folder / "decoding.py", (-2 ** 31, -2 ** 31)), os.utime(folder / "lab1.ipynb", (2 ** 32 - 1, 2 ** 32 - 1))], {}),
    inbox("sparse", "a penalties.py of a terabyte that takes no space", replace(
        "penalties.py", lambda path: path.open("wb").truncate(2 ** 40)), {"presence_penalty": 0.0}),
    inbox("nothing", "an empty folder", lambda folder: [path.unlink() for path in folder.iterdir()], GONE | {
        "presence_penalty": 0.0}, False, kind="malformed"),
]

CHOSEN = {"shadow-checks", "answers-with-a-verdict", "length-without-end", "endless-loop", "memory-mmap", "control-characters",
          "print-flood", "segmentation-fault", "ends-while-it-is-read", "long-message", "kills-the-warm-process"}
ATTACKERS = [attacker(one) for one in [*forging.TABLES, *frames.TABLES, *damage.ATTACKS, *damage.KILLS] if one.name in CHOSEN]

HONEST = [Submission(f"honest-{n}", "control", "right in everything", perfect, {}) for n in (1, 2)]
HONEST += [Submission("honest-starter", "control", "the release, untouched", lambda make: {
    f"{name}.py": make.scaffolds[name].encode() for name in make.desk.modules} | {
        make.desk.notebook: make.desk.master.read_bytes()}, NONE | {"presence_penalty": 0.0}, False)]

REFUSED_NAMES = ["-rf", "=1+1", "a*", "\u202ebob", "bob\nada", "x" * 200, "emoji-\U0001f600", "a b", "$(id)", "%00",
                 "`id`", "ada;rm"]
"""Folder names in the inbox that can be nobody's id: refused, with a reason, and nothing else happens."""

TABLES = [*NOTEBOOKS, *MODULES, *INBOX]
RECORDED = {"points-raised", "outputs-forged", "cells-that-attack", "cells-that-shout", "truncated", "shadow-files", "null-bytes"}
CLASS = [*HONEST, *ATTACKERS, *(one for one in TABLES if one.name in RECORDED)]
"""Those that are also recorded by nbgrader and given feedback."""
