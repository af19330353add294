"""The display run: a student's cells are run again, confined, and what comes back is examined."""

import base64
import io
import json
import struct
import zlib
from pathlib import Path

import jupytext
import nbformat
import pytest
import torch
from nbgrader.utils import determine_grade
from PIL import Image

from llmlab import models
from llmlab._finder import LABS
from llmlab.grading import screen
from llmlab.grading.course import course
from llmlab.grading.display import Display, apply, code_cells
from llmlab.grading.ledger import Ledger
from llmlab.grading.lookup import LedgerLookup
from llmlab.grading.places import desk
from llmlab.harness import wire
from llmlab.harness.display.models import Quick

GOOD = b"def double(x):\n    return 2 * x\n"


@pytest.fixture(scope="module")
def display():
    with Display() as made:
        yield made


@pytest.fixture
def run(display):
    """Run these sources as the cells "0", "1", ...; their outputs in order."""

    def go(*sources, modules=None, **limits):
        cells = [{"id": str(at), "source": source} for at, source in enumerate(sources)]
        shown = display.outputs({"decoding": GOOD} if modules is None else modules, cells, **limits)
        assert list(shown) == [cell["id"] for cell in cells]
        for outputs in shown.values():
            for one in outputs:
                nbformat.validate(nbformat.from_dict(one), ref="output", version=4, version_minor=5)
        return list(shown.values())

    return go


def plain(outputs):
    """Everything that a cell says, as one text."""
    return "\n".join(
        one.get("text") or "\n".join(one.get("traceback", ())) or one["data"].get("text/plain", "")
        for one in outputs
    )


def notes(outputs):
    return [one["data"]["text/plain"] for one in outputs if one.get("metadata") == screen.NOTE]


def picture(one):
    return Image.open(io.BytesIO(base64.b64decode(one["data"]["image/png"])))


@pytest.mark.parametrize("lab", LABS)
def test_the_labs_own_notebooks_run_whole(display, lab):
    """A lab on the solutions: no error, no remark, one picture with words for each cell that draws."""
    real = course(Path(__file__))
    notebook = nbformat.v4.new_notebook()
    for part in desk(lab, real).texts:
        notebook.cells += jupytext.read(part, fmt="py:percent").cells
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"c{number}"
    cells = code_cells(notebook)
    sent = {cell["id"] for cell in cells}
    tests = [cell for cell in notebook.cells if cell.source.startswith("llmlab.check(")]
    assert len(tests) > 5 and not sent & {cell["id"] for cell in tests}
    modules = {name: (real.solutions / f"{name}.py").read_bytes() for name in LABS[lab]}
    record = display.record(modules, cells)
    assert record["key"] == display.job_key(modules, cells) and record["seconds"] > 0
    shown = record["outputs"]
    said = [one for outputs in shown.values() for one in outputs]
    assert not [one for one in said if one["output_type"] == "error" or one.get("name") == "stderr"]
    assert not [one for one in said if one.get("metadata") == screen.NOTE]
    drew = [cell["id"] for cell in cells if "figures." in cell["source"]]
    assert len(drew) > 8 or lab != "lab1"
    for name in drew:
        images = [one for one in shown[name] if "image/png" in one.get("data", {})]
        assert len(images) == 1 and images[0]["metadata"]["image/png"]["alt"].endswith(".")
        assert min(picture(images[0]).size) > 100
    assert f"{LABS[lab][0]}.py" in plain(shown[cells[0]["id"]])


def test_cells_behave_as_in_jupyter(run):
    shown = run(
        "x = 20",
        "x + 1",
        "x;",
        "print('a')\nx",
        "1 / 0",
        "x",
        "from IPython.display import display\ndisplay('d')",
        "'%s' % 'p'",
        "_ * 2 + Out[8]",
        "%%time\ny = 3\ny",
        "def f(:",
    )
    assert [plain(one) for one in shown[:4]] == ["", "21", "", "a\n\n20"]
    assert shown[1][0]["output_type"] == "execute_result"
    assert shown[4][0]["ename"] == "ZeroDivisionError" and "1 / 0" in plain(shown[4])
    assert plain(shown[5]) == "20", "a cell that raises does not stop the later ones"
    assert shown[6][0]["output_type"] == "display_data"
    assert plain(shown[8]) == "'ppp'" and plain(shown[9]) == "3" and "SyntaxError" in plain(shown[10])


def test_rich_outputs_are_kept_by_kind(run):
    show = "from IPython.display import *\n"
    figure, html, math, text, svg = run(
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
        show + "HTML('<table><tr><td>1</td></tr></table>')",
        show + "Math('x^2')",
        show + "Markdown('# hello')",
        show + "SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"><script>1</script></svg>')",
    )
    assert [one["output_type"] for one in figure] == ["display_data"] and picture(figure[0]).format == "PNG"
    assert html[0]["data"]["text/html"] == "<table><tr><td>1</td></tr></table>"
    assert "x^2" in math[0]["data"]["text/latex"] and plain(text) == "# hello"
    assert "svg" not in json.dumps(svg).replace("SVG", "").lower()


def test_the_students_modules_are_the_ones_that_were_handed_in(run):
    shown = run(
        "from llmlab import decoding\ndecoding.double(4)",
        "decoding.__file__",
        "import llmlab\nllmlab.reload('decoding').double(5)",
        "import llmlab.penalties",
        "decoding.double('x', 2)",
    )
    assert [plain(one) for one in shown[:3]] == ["8", "'decoding.py'", "10"]
    assert "penalties.py was not handed in" in plain(shown[3]) and "TypeError" in plain(shown[4])
    broken = run("from llmlab import decoding", modules={"decoding": b"def f(:\n"})[0]
    assert "SyntaxError" in plain(broken)
    failing = run(
        "from llmlab import decoding\ndecoding.f()",
        modules={"decoding": b"def f():\n    raise ValueError('why')\n"},
    )[0]
    assert "decoding.py, line 2 in f" in plain(failing) and failing[0]["evalue"] == "why"


def test_no_path_of_this_machine_is_shown(run):
    shown = run(
        "import torch\nprint(torch.__file__)\nopen('/nowhere')", "import llmlab\nprint(llmlab.__file__)"
    )
    for one in shown:
        assert str(Path(torch.__file__).parents[4]) not in plain(one) and str(
            course(Path(__file__)).root
        ) not in plain(one)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("!ls /", "not run for the display"),
        ("%pip install x", "not run for the display"),
        ("%%bash\nls", "not run for the display"),
        ("input('name?')", "nobody sits at the keyboard"),
        ("import llmlab\nllmlab.check('decoding.top_p')", "run apart from the display"),
        ("exit()", "does nothing"),
        ("raise SystemExit(1)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import subprocess\nsubprocess.run(['true'])", "Error"),
        ("import os\nos.fork()", "Error"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 9))", "Error"),
        ("open('left-behind', 'w')", "Error"),
        ("open('/etc/passwd').read()", "Error"),
        ("open(__import__('llmlab').__path__[0] + '/checks/registry.py').read()", "Error"),
        ("x = bytearray(10**12)", "MemoryError"),
        ("class E(Exception):\n    def __str__(self): raise self\nraise E", "E"),
        ("class R:\n    def __repr__(self): 1 / 0\nR()", "ZeroDivisionError"),
    ],
)
def test_what_is_not_done_is_said_and_the_next_cell_runs(run, source, said):
    first, second = run(source, "6 * 7")
    assert said in plain(first) and plain(second) == "42"


def test_matplotlibs_magic_is_silent(run):
    assert run("%matplotlib inline\n2")[0][0]["data"]["text/plain"] == "2"


def test_a_cell_that_never_ends_is_stopped_and_the_next_one_runs(run):
    first, second = run("while True:\n    pass", "6 * 7", cell_seconds=2)
    assert "stopped after 1.5 s" in plain(first) and plain(second) == "42"


STUBBORN = "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True:\n    pass"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (STUBBORN, "took longer than"),
        ("import os\nos._exit(3)", "exit code 3"),
        ("import ctypes\nctypes.string_at(0)", "SIGSEGV"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "ended in this cell"),
    ],
)
def test_a_run_that_ends_early_keeps_what_was_shown(run, source, said):
    before, at, after = run("6 * 7", source, "1", cell_seconds=2)
    assert plain(before) == "42" and said in notes(at)[0] and "Not run" in notes(after)[0]
    assert plain(run("6 * 7")[0]) == "42", "the next notebook is not harmed"


def test_the_whole_run_has_a_limit_too(run):
    shown = run(*["import time\ntime.sleep(1)"] * 6, seconds=2.5, cell_seconds=2)
    assert notes(shown[-1]) and "Not run" in notes(shown[-1])[0] and shown[0] == []


NOISE = """
import io, os
from PIL import Image as pillow
from IPython.display import Image, display
for size in {sizes}:
    file = io.BytesIO()
    pillow.frombytes("RGB", (size, size), os.urandom(size * size * 3)).save(file, "PNG")
    display(Image(file.getvalue()))
"""
"""Pictures that do not compress."""


def test_floods_are_cut(run):
    text, both, many, pictures, after = run(
        "for i in range(10**5):\n    print('x' * 100)",
        "import sys\nfor i in range(3000):\n    print(i)\n    print(i, file=sys.stderr)",
        "from IPython.display import display\nfor i in range(500):\n    display(i)",
        NOISE.format(sizes="(300, 300, 900)"),
        "6 * 7",
    )
    assert len(plain(text)) < 21_000 and plain(text).endswith("[cut here]")
    assert sum(len(plain([one])) for one in both) < 41_000 and len(both) <= screen.OUTPUTS + 1
    assert len(many) <= screen.OUTPUTS + 1 and "more outputs" in plain(many)
    assert sum("image/png" in one.get("data", {}) for one in pictures) == 2 and "not shown" in plain(pictures)
    assert plain(after) == "42"


def test_all_cells_together_have_a_limit(run):
    noise = NOISE.format(sizes="[500] * 8")
    shown = run(noise, noise, "6 * 7")
    assert sum(len(json.dumps(one)) for one in shown) < 1.4 * screen.TOTAL and plain(shown[2]) == "42"


def test_threads_that_print_late_change_nothing(run):
    late = (
        "import threading, time\ndef go():\n    while True:\n        print('late')\n        time.sleep(.01)\n"
        "threading.Thread(target=go).start()"
    )
    first, second = run(late, "import time\ntime.sleep(.2)\n6 * 7")
    assert second[-1]["data"]["text/plain"] == "42" and set(plain(first).split()) <= {"late"}
    assert plain(run("print('mine')")[0]) == "mine\n", "nothing of it reaches the next notebook"


FORGE = """
import os
from llmlab.harness import wire
bad = [{"output_type": "display_data", "data": {"text/html": "<script>alert(1)</script>", "text/plain": "p"}}]
frames = b"".join(wire.encode({"id": name, "outputs": bad}) for name in ("1", "test", "2"))
for fd in range(3, 64):
    try:
        os.write(fd, frames)
    except OSError:
        pass
"""


def test_frames_written_by_a_cell_are_no_more_than_outputs(run):
    """They may say something in the place of the student's own cells; nothing else is reached, and nothing
    runs.
    """
    shown = run("6 * 7", FORGE, "8")
    assert plain(shown[0]) == "42"
    assert "<script" not in json.dumps(shown).replace("&lt;script", "")


class Fake:
    """A candidate that says these bytes."""

    def __init__(self, said: bytes):
        self.inward, self.outward, self.killed = io.BytesIO(said), io.BytesIO(), False

    def start(self):
        return self

    def kill(self):
        self.killed = True

    def end(self):
        return ""

    close = kill


GOOD_FRAME = wire.encode(
    {"id": "0", "outputs": [{"output_type": "stream", "name": "stdout", "text": "fine"}]}
)


@pytest.mark.parametrize(
    "frame",
    [
        wire.encode({"id": "test-cell", "outputs": []}),
        wire.encode({"id": "0", "outputs": []}),
        wire.encode([1, 2]),
        wire.encode({"done": True}),
        b"\x00" * 7,
        struct.pack(">QQ", 2**40, 0),
        struct.pack(">QQ", 0, 2**40),
        struct.pack(">QQ", 3, 0) + b"{{{",
        struct.pack(">QQ", 200_002, 0) + b"[" * 100_001 + b"]" * 100_001,
        b"",
    ],
)
def test_a_forged_or_broken_frame_ends_the_run(frame):
    cells = [{"id": name, "source": "1"} for name in ("0", "1", "2")]
    fake = Fake(GOOD_FRAME + frame)
    shown = Display(fake).outputs({}, cells)
    assert list(shown) == ["0", "1", "2"] and plain(shown["0"]) == "fine"
    assert notes(shown["1"]) and notes(shown["2"]) and fake.killed


@pytest.mark.parametrize(
    "outputs",
    [
        None,
        "text",
        [1, None, []],
        [{}],
        [{"output_type": "update_display_data", "data": {}}],
        [{"output_type": "stream", "name": "other", "text": "x"}],
        [{"output_type": "stream", "name": "stdout", "text": ["a"]}],
        [{"output_type": "error", "ename": 1, "evalue": None, "traceback": "x"}],
        [
            {
                "output_type": "display_data",
                "data": {1: 2, "text/plain": 5, "application/javascript": "alert(1)"},
            }
        ],
        [{"output_type": "display_data", "data": {"image/png": "not bytes"}}],
        [{"output_type": "display_data", "data": {"image/svg+xml": "<svg onload=alert(1)>", "text/html": 3}}],
    ],
)
def test_outputs_of_the_wrong_form_are_left_out(outputs):
    cells = [{"id": "0", "source": "1"}]
    shown = Display(Fake(wire.encode({"id": "0", "outputs": outputs}))).outputs({}, cells)["0"]
    told = json.dumps(shown)
    assert (
        "alert" not in told
        and "svg" not in told
        and not [one for one in shown if "image/png" in one.get("data", {})]
    )


def png(wide=3, high=2, extra=b"", body=None, colour=2):
    """A PNG made by hand."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    raw = b"".join(b"\0" + b"\1\2\3" * wide for _ in range(high)) if body is None else body
    head = struct.pack(">IIBBBBB", wide, high, 8, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + extra
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


def test_a_picture_is_kept_without_what_is_no_picture():
    text = struct.pack(">I", 9) + b"tEXt" + b"a\0<script" + struct.pack(">I", zlib.crc32(b"tEXta\0<script"))
    kept = screen.png(png(extra=text) + b"<script>alert(1)</script>")
    assert kept == png() and Image.open(io.BytesIO(kept)).size == (3, 2) and screen.pixels(kept) == 6


@pytest.mark.parametrize(
    "raw",
    [
        png(wide=50_000, high=50_000, body=bytes(1000)),
        png(wide=7_999, high=7_999, body=bytes(1000)),
        png(wide=0),
        png()[:-13],
        png()[:20] + b"\xff" + png()[21:],
        png()[:33],
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        png(extra=struct.pack(">I", 0) + b"ABCD" + struct.pack(">I", zlib.crc32(b"ABCD"))),
        png(extra=png()[8:33]),
        png() + bytes(screen.IMAGE),
        "text",
        None,
    ],
)
def test_other_pictures_are_refused_without_decoding_them(raw):
    assert screen.png(raw) is None


def test_pictures_together_have_a_limit():
    """Small files can be large pictures; a browser would unpack each of them."""
    large = png(wide=4_000, high=3_000, body=bytes(10))
    one = {"output_type": "display_data", "data": {"image/png": large, "text/plain": "p"}}
    kept = screen.Screen()
    shown = [out for _ in range(5) for out in kept.outputs([one] * 20)]
    found = [out for out in shown if "image/png" in out["data"]]
    assert (
        sum(screen.pixels(base64.b64decode(out["data"]["image/png"])) for out in found) <= screen.ALL_PIXELS
    )
    assert len(found) == screen.ALL_PIXELS // 12_000_000


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x\x1b]8;;http://evil\x1b\\link", "xlink"),
        ("a\x00b\x08c\x9bd", "abcd"),
        ("\u202eabc\u2066", "abc"),
        ("10%\r20%\r30%\n", "30%\n"),
        ("a\r\nb\tc", "a\nb\tc"),
        ("\ud800", "?"),
        ("猫 é", "猫 é"),
        (7, ""),
    ],
)
def test_text_has_no_control_characters(said, shown):
    assert screen.text(said) == shown


def notebook():
    made = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("1", id="mine"),
            nbformat.v4.new_code_cell(
                "check()",
                id="test",
                metadata={"nbgrader": {"grade": True, "solution": False, "grade_id": "q", "points": 2}},
            ),
            nbformat.v4.new_markdown_cell("text", id="words"),
            nbformat.v4.new_code_cell("  ", id="empty"),
            nbformat.v4.new_code_cell(
                "2",
                id="answer",
                metadata={"nbgrader": {"grade": True, "solution": True, "grade_id": "w", "points": 2}},
            ),
            nbformat.v4.new_code_cell("3", id="odd"),
        ]
    )
    made.cells[5]["id"] = "mine"  # twice the same
    return made


def test_test_cells_are_never_run_and_never_written():
    made = notebook()
    assert [cell["id"] for cell in code_cells(made)] == ["mine", "answer"]
    out = [nbformat.v4.new_output("stream", text="x")]
    apply(made, {"mine": out, "test": out, "words": out, "gone": out})
    assert (
        made.cells[0].outputs[0].text == "x"
        and made.cells[1].outputs == []
        and "outputs" not in made.cells[2]
    )
    apply(
        made,
        {"answer": [{"output_type": "stream"}, 3, {"output_type": "stream", "name": "stdout", "text": "y"}]},
    )
    assert [one.text for one in made.cells[4].outputs] == ["y"]
    apply(made, ["not", "a", "record"])
    nbformat.validate(nbformat.from_dict({**made, "cells": made.cells[:5]}))


def test_the_lookup_shows_outputs_and_scores_by_the_verdict_alone(tmp_path):
    """Judged by nbgrader's own `determine_grade`: an output that looks like a score is none."""
    ledger = Ledger(tmp_path / "lab1")
    ledger.write(
        "ada",
        "verdicts",
        {"cells": {"q": {"title": "t", "points": 1, "max": 2, "message": "m", "groups": []}}},
    )
    result = nbformat.v4.new_output("execute_result", {"text/plain": "2.0"})
    ledger.write("ada", "display", {"key": "k", "outputs": {"mine": [result], "test": [result]}})
    lookup = LedgerLookup(ledger=str(tmp_path))
    made = notebook()
    lookup.preprocess(made, {"nbgrader": {"assignment": "lab1", "student": "ada", "notebook": "lab1"}})
    assert made.cells[0].outputs == [result] and determine_grade(made.cells[1])[0] == 1
    assert [
        one.data["text/plain"] for one in made.cells[1].outputs if one.output_type == "execute_result"
    ] == ["1.0"]


def test_the_key_depends_on_everything_that_is_run(display):
    cells = [{"id": "0", "source": "1"}]
    keys = {
        display.job_key({"decoding": b"1"}, cells),
        display.job_key({"decoding": b"2"}, cells),
        display.job_key({"penalties": b"1"}, cells),
        display.job_key({"decoding": b"1", "penalties": b""}, cells),
        display.job_key({"decoding": b"1"}, [{"id": "0", "source": "2"}]),
        display.job_key({"decoding": b"1"}, [{"id": "1", "source": "1"}]),
        display.job_key({"decoding": b"1"}, []),
    }
    assert len(keys) == 7 and display.job_key({"decoding": b"1"}, cells) in keys


def test_the_quick_model_gives_the_models_logits():
    """Growing texts, left padding, a batch that changes, and weights that change: against the plain forward
    pass.
    """
    torch.manual_seed(0)
    lm = models.load("draft")
    plain_logits, quick = lm.next_logits, Quick(lm)
    ids = torch.randint(0, lm.vocab_size, (3, 12))
    mask = torch.ones_like(ids)
    mask[0, :3] = 0
    asked = [(ids[:, :n], mask[:, :n]) for n in range(4, 13)] + [(ids[:, :n], None) for n in range(1, 8)]
    asked += [
        (ids[:2, :8], None),
        (ids[:2, :9], None),
        (ids[:2, :9].flip(0), None),
        (ids[:2, :10].flip(0), None),
    ]
    for given, ones in asked:
        assert torch.allclose(quick(given, ones), plain_logits(given, ones), atol=1e-4), given.shape
    with torch.no_grad():
        lm.model.lm_head.weight.mul_(2)
    assert torch.allclose(quick(ids[:2, :11].flip(0)), plain_logits(ids[:2, :11].flip(0)), atol=1e-4)
    with pytest.raises(ValueError, match="ids has shape"):
        quick(torch.tensor([1, 2]))
