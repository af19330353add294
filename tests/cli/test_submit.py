"""`submit`: everything there is gets packed, everything unusual is said, nothing of the student's runs."""

import json
import zipfile
from hashlib import sha256

import pytest

from llmlab import __version__
from llmlab._finder import LAB_MODULES, short_hash
from llmlab.cli import inspecting
from llmlab.cli import submit as submitting
from llmlab.cli.names import LABS


def cell(grade_id=None, source="", kind="code", outputs=(), count=1, **about):
    metadata = {"nbgrader": {"grade_id": grade_id, **about}} if grade_id else {}
    made = {"cell_type": kind, "source": source, "metadata": metadata}
    return made | ({"outputs": list(outputs), "execution_count": count} if kind == "code" else {})


def book(*cells) -> bytes:
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


MASTER = book(cell("decoding-top_p", 'llmlab.check("decoding.top_p")', locked=True, grade=True, count=None),
              cell("written-why", "Your answer", "markdown", solution=True, grade=True),
              cell("lab1-answers", 'ANSWERS = {"a": None}', solution=True, count=None))
DONE = book(cell("decoding-top_p", 'llmlab.check("decoding.top_p")', locked=True, grade=True),
            cell("written-why", "Because.", "markdown", solution=True, grade=True),
            cell("lab1-answers", 'ANSWERS = {"a": 1.5}', solution=True))


@pytest.fixture
def ready(workspace, monkeypatch):
    """A workspace in which everything is there and nothing unusual."""
    for module in LABS["lab1"]:
        text = "\n".join(f"def {name}(*args): return 1" for name in _names(module))
        (workspace / f"{module}.py").write_text(text + "\n")
    (workspace / "lab1.ipynb").write_bytes(DONE)
    monkeypatch.setattr(submitting, "released", lambda: {"lab1.ipynb": MASTER})
    return workspace


def _names(module):
    from llmlab.cli.names import functions

    return functions(module)


def test_a_whole_pack(llmlab, ready):
    told = llmlab("submit", "lab1")
    assert told.code == 0 and "! " not in told.out and "missing" not in told.out
    packed = ready / "submissions" / "lab1"
    names = {"lab1.ipynb", *(f"{module}.py" for module in LABS["lab1"])}
    receipt = json.loads((packed / "receipt.json").read_text())
    assert {file["name"] for file in receipt["files"]} == names and receipt["missing"] == receipt["warnings"] == []
    assert receipt["llmlab"] == __version__ and "not used for lateness" in receipt["clock"]
    for file in receipt["files"]:
        data = (packed / file["name"]).read_bytes()
        assert data == (ready / file["name"]).read_bytes()
        assert (file["sha256"], file["bytes"]) == (sha256(data).hexdigest(), len(data))
    with zipfile.ZipFile(ready / "submissions" / "lab1.zip") as archive:
        assert set(archive.namelist()) == {f"lab1/{name}" for name in names | {"receipt.json"}}
        assert archive.read("lab1/decoding.py") == (ready / "decoding.py").read_bytes()


def test_what_is_missing_is_said_and_the_rest_packed(llmlab, ready):
    (ready / "lab1.ipynb").unlink()
    told = llmlab("submit", "lab1")
    assert told.code == 1 and "missing: lab1.ipynb is not there" in told.out
    assert (ready / "submissions" / "lab1" / "decoding.py").is_file()
    assert json.loads((ready / "submissions" / "lab1" / "receipt.json").read_text())["missing"]


def test_nothing_at_all_writes_nothing(llmlab, ready):
    for name in ("lab1.ipynb", *(f"{module}.py" for module in LABS["lab1"])):
        (ready / name).unlink()
    told = llmlab("submit", "lab1")
    assert told.code == 1 and "nothing to pack" in told.err and not (ready / "submissions").exists()


def test_a_second_pack_replaces_the_first_and_nothing_else(llmlab, ready):
    llmlab("submit", "lab1")
    (ready / "decoding.py").write_text("x = 2\n")
    assert llmlab("submit", "lab1").code == 0
    assert (ready / "submissions" / "lab1" / "decoding.py").read_text() == "x = 2\n"
    assert sorted(path.name for path in (ready / "submissions").iterdir()) == ["lab1", "lab1.zip"]
    (ready / "submissions" / "lab1" / "receipt.json").unlink()
    told = llmlab("submit", "lab1")
    assert told.code == 2 and "was not made by" in told.err
    assert (ready / "submissions" / "lab1" / "decoding.py").read_text() == "x = 2\n"


def test_nothing_of_the_students_runs(llmlab, ready):
    (ready / "decoding.py").write_text("open('ran', 'w').close()\nraise SystemExit\n")
    (ready / "torch.py").write_text("open('ran', 'w').close()\n")
    llmlab("submit", "lab1")
    assert not (ready / "ran").exists()


def test_a_link_and_another_folder_are_said(llmlab, ready, tmp_path, monkeypatch):
    (tmp_path / "real.py").write_bytes((ready / "decoding.py").read_bytes())
    (ready / "decoding.py").unlink()
    (ready / "decoding.py").symlink_to(tmp_path / "real.py")
    assert "decoding.py is a link; what it points to was packed" in llmlab("submit", "lab1").out
    other = tmp_path / "other"
    other.mkdir()
    for module in LAB_MODULES:
        (other / f"{module}.py").write_text("x = 1\n")
    monkeypatch.setenv("LLMLAB_CODE", str(other))
    assert "chosen by LLMLAB_CODE), not from this workspace" in llmlab("submit", "lab1").out


@pytest.mark.parametrize(("source", "says"), [
    (b"", "is empty"), (None, "untouched scaffold"), (b"def f(:\n", "line 1: invalid syntax"), (b"\0", "null bytes"),
    (b"\xff\xfe", "cannot be run"), (b"(" * 5_000, "cannot be run"), (b"x = 1\n", "lacks top_p"),
    (b"import helper\n", "imports helper, a file of yours that is not packed"), (b"from . import x\n", "relative import"),
    (b"import no_such_package_x\n", "not installed here"), (b"from llmlab.decoding import top_p\n", "imports the lab module decoding"),
    (b"#" * 2_000_000, "unusually large")])
def test_what_is_unusual_about_a_module(tmp_path, source, says):
    (tmp_path / "helper.py").write_text("")
    source = (inspecting.PACKAGE / "decoding.py").read_bytes() if source is None else source
    said = " ".join(inspecting.module("decoding", source, tmp_path))
    wanted = says.replace("top_p", _names("decoding")[0]) if says.startswith("lacks") else says
    assert wanted in said


def test_a_half_done_module_names_what_is_not_written(tmp_path):
    source = (inspecting.PACKAGE / "decoding.py").read_bytes() + b"\n\ndef top_p(logits, p):\n    return logits\n"
    said = " ".join(inspecting.module("decoding", source, tmp_path))
    open_ = [name for name in _names("decoding") if name != "top_p"]
    assert all(name in said for name in open_) and "top_p" not in said.replace("top_k_top_p", "")


@pytest.mark.parametrize(("raw", "says"), [
    (b"{", "not a readable notebook"), (b"[]", "not a readable notebook"), (b'{"cells": 3}', "not a readable notebook"),
    (MASTER, "as it was released: nothing was saved"),
    (book(*json.loads(DONE)["cells"][1:]), "the cell decoding-top_p was deleted"),
    (book(*json.loads(DONE)["cells"], json.loads(DONE)["cells"][0]), "decoding-top_p is there 2 times"),
    (DONE.replace(b"llmlab.check(", b"print("), "locked cell decoding-top_p was changed"),
    (DONE.replace(b"Because.", b"Your answer"), "written-why is unanswered"),
    (DONE.replace(b"1.5", b"None"), "no answer yet to a"), (DONE.replace(b"1.5", b"1 + x"), "must be a dict of plain numbers"),
    (DONE.replace(b"ANSWERS", b"OTHERS"), "has no ANSWERS"), (DONE.replace(b'"execution_count": 1', b'"execution_count": null'), "no cell was run"),
    (book(cell("decoding-top_p", 'llmlab.check("decoding.top_p")', outputs=[{"output_type": "error"}])), "1 cell ends in an error"),
    (book({"cell_type": "code", "source": 3, "metadata": None, "outputs": None}), "was deleted")])
def test_what_is_unusual_about_a_notebook(raw, says):
    assert says in " ".join(inspecting.notebook("lab1.ipynb", raw, MASTER))


def test_nothing_is_unusual_about_a_finished_notebook():
    assert inspecting.notebook("lab1.ipynb", DONE, MASTER) == []


def test_a_notebook_with_checks_of_an_older_file_is_stale():
    new, old = b"x = 2\n", b"x = 1\n"
    shown = book(cell(outputs=[{"output_type": "stream", "text": [f"/w/decoding.py ({short_hash(old)})\n"]}]))
    assert "checks of an older decoding.py" in " ".join(inspecting.stale("n", shown, {"decoding.py": (new, 0.0)}))
    assert inspecting.stale("n", shown, {"decoding.py": (old, 0.0)}) == []


def test_a_wrong_lab_and_a_wrong_place(llmlab, workspace, apart, monkeypatch):
    told = llmlab("submit", "lab9")
    assert told.code == 2 and "no lab 'lab9'" in told.err and "lab1" in told.err
    monkeypatch.chdir(apart)
    told = llmlab("submit", "lab1")
    assert told.code == 2 and "no llmlab.toml" in told.err
