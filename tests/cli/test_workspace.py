"""`start` and `update`: what they write, and above all what they never overwrite."""

import json

import pytest

from llmlab._finder import LAB_MODULES, LABS, PACKAGE
from llmlab.cli import workspace as rooms


@pytest.fixture
def templates(monkeypatch):
    """templates[name] = bytes sets what a new version would bring."""
    new: dict[str, bytes] = {"decoding.py": b"# v1\n", "lab1.ipynb": b'{"v": 1}'}
    monkeypatch.setattr(rooms, "templates", lambda code, root, labs: {
        (root if name.endswith(".ipynb") else code) / name: data for name, data in new.items()})
    return new


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and ".llmlab" not in path.parts}


def test_a_new_workspace_holds_every_scaffold(llmlab, apart):
    told = llmlab("start", "a/b")
    assert told.code == 0 and "llmlab check" in told.out
    made = files(apart / "a" / "b")
    assert {f"{module}.py" for module in LAB_MODULES} | {"llmlab.toml", "README.md"} <= set(made)
    assert all(made[f"{module}.py"] == (PACKAGE / f"{module}.py").read_bytes() for module in LAB_MODULES)


@pytest.mark.parametrize("lab", LABS)
def test_a_workspace_of_one_lab_stays_one_until_another_is_added(llmlab, apart, monkeypatch, lab):
    """start, update, where and progress speak of this lab only; `update OTHER` adds one."""
    told = llmlab("start", "one", lab)
    assert told.code == 0 and f"open {LABS[lab][0]}.py" in told.out
    monkeypatch.chdir(apart / "one")
    mine = {f"{module}.py" for module in LABS[lab]}
    assert {name for name in files(apart / "one") if name.endswith(".py")} == mine
    others = [other for other in LABS if other != lab]
    assert f"Not in this workspace: {', '.join(others)}" in llmlab("update").out
    assert {name for name in files(apart / "one") if name.endswith(".py")} == mine
    for command in ("where", "progress"):
        shown = llmlab(command)
        assert shown.code == 0
        for module in LAB_MODULES:
            assert (module in shown.out) == (module in LABS[lab])
    assert llmlab("update", others[0]).code == 0
    both = mine | {f"{module}.py" for module in LABS[others[0]]}
    assert {name for name in files(apart / "one") if name.endswith(".py")} == both


def test_a_lab_that_does_not_exist_is_not_started(llmlab, apart):
    told = llmlab("start", "ws", "lab9")
    assert told.code == 2 and "no lab 'lab9'" in told.err and not (apart / "ws").exists()


def test_starting_again_changes_nothing_and_says_so(llmlab, workspace):
    (workspace / "decoding.py").write_text("# mine\n")
    before = files(workspace)
    told = llmlab("start", workspace)
    assert told.code == 0 and "left as you have it: decoding.py" in told.out and "already" in told.out
    assert files(workspace) == before


def test_starting_again_adds_only_what_is_missing(llmlab, workspace):
    (workspace / "decoding.py").unlink()
    told = llmlab("start", ".")
    assert "written: decoding.py" in told.out
    assert (workspace / "decoding.py").read_bytes() == (PACKAGE / "decoding.py").read_bytes()


def test_a_folder_with_work_is_refused_and_untouched(llmlab, apart):
    (apart / "old").mkdir()
    (apart / "old" / "decoding.py").write_text("# my work\n")
    told = llmlab("start", "old")
    assert told.code == 2 and "already holds decoding.py" in told.err and "Nothing was written" in told.err
    assert files(apart / "old") == {"decoding.py": b"# my work\n"}


def test_a_readme_of_ones_own_stays(llmlab, apart):
    (apart / "README.md").write_text("mine")
    assert llmlab("start", ".").code == 0
    assert (apart / "README.md").read_text() == "mine"


def test_a_file_in_place_of_the_folder_is_refused(llmlab, apart):
    (apart / "f").write_text("x")
    told = llmlab("start", "f")
    assert told.code == 2 and "is a file" in told.err


def test_a_workspace_in_a_workspace_is_said(llmlab, workspace):
    assert "lies inside the workspace" in llmlab("start", "inner").out


def test_update_replaces_untouched_files_only(llmlab, templates, apart, monkeypatch):
    llmlab("start", "ws")
    monkeypatch.chdir(apart / "ws")
    (apart / "ws" / "decoding.py").write_bytes(b"# my work\n")
    templates |= {"decoding.py": b"# v2\n", "lab1.ipynb": b'{"v": 2}'}
    told = llmlab("update")
    assert told.code == 0 and "replaced by a new version" in told.out and "decoding.py.new" in told.out
    assert files(apart / "ws") | {"README.md": b"", "llmlab.toml": b""} == {
        "decoding.py": b"# my work\n", "decoding.py.new": b"# v2\n", "lab1.ipynb": b'{"v": 2}', "README.md": b"",
        "llmlab.toml": b""}


def test_a_version_that_was_taken_over_is_not_offered_twice(llmlab, templates, apart, monkeypatch):
    llmlab("start", "ws")
    monkeypatch.chdir(apart / "ws")
    mine, new = apart / "ws" / "decoding.py", apart / "ws" / "decoding.py.new"
    mine.write_bytes(b"# my work\n")
    templates["decoding.py"] = b"# v2\n"
    llmlab("update")
    new.unlink()
    assert "left as you have it: decoding.py" in llmlab("update").out and not new.exists()
    templates["decoding.py"] = b"# v3\n"
    llmlab("update")
    assert new.read_bytes() == b"# v3\n" and mine.read_bytes() == b"# my work\n"


def test_an_edited_new_file_is_work_too(llmlab, templates, apart, monkeypatch):
    llmlab("start", "ws")
    monkeypatch.chdir(apart / "ws")
    (apart / "ws" / "decoding.py").write_bytes(b"# my work\n")
    templates["decoding.py"] = b"# v2\n"
    llmlab("update")
    (apart / "ws" / "decoding.py.new").write_bytes(b"# v2, and my notes\n")
    templates["decoding.py"] = b"# v3\n"
    llmlab("update")
    assert (apart / "ws" / "decoding.py.new").read_bytes() == b"# v2, and my notes\n"
    assert (apart / "ws" / "decoding.py.new2").read_bytes() == b"# v3\n"


@pytest.mark.parametrize("state", [b"{", b"[]", b'{"written": 3}', b"\xff"])
def test_without_a_readable_record_everything_counts_as_work(llmlab, templates, apart, monkeypatch, state):
    llmlab("start", "ws")
    monkeypatch.chdir(apart / "ws")
    (apart / "ws" / ".llmlab" / "state.json").write_bytes(state)
    templates["decoding.py"] = b"# v2\n"
    assert llmlab("update").code == 0
    assert (apart / "ws" / "decoding.py").read_bytes() == b"# v1\n"
    assert (apart / "ws" / "decoding.py.new").read_bytes() == b"# v2\n"
    assert set(json.loads((apart / "ws" / ".llmlab" / "state.json").read_text())) == {"version", "llmlab", "written", "offered"}


def test_a_deleted_scaffold_comes_back_and_a_folder_in_its_place_is_left(llmlab, templates, apart, monkeypatch):
    llmlab("start", "ws")
    monkeypatch.chdir(apart / "ws")
    (apart / "ws" / "decoding.py").unlink()
    assert "written: decoding.py" in llmlab("update").out
    (apart / "ws" / "decoding.py").unlink()
    (apart / "ws" / "decoding.py").mkdir()
    assert "should be a file, but is a folder" in llmlab("update").out


def test_update_follows_the_code_folder_of_the_workspace(llmlab, templates, apart):
    (apart / "llmlab.toml").write_text('[workspace]\ncode = "src"\n')
    assert llmlab("update").code == 0
    assert files(apart / "src") == {"decoding.py": b"# v1\n"}


def test_update_outside_of_a_workspace_says_where_it_looked(llmlab, apart):
    told = llmlab("update")
    assert told.code == 2 and str(apart) in told.err and "llmlab start DIR" in told.err


def test_the_released_notebook_is_found_in_the_package(monkeypatch, tmp_path):
    lab = tmp_path / "llmlab" / "_labs" / "lab1"
    lab.mkdir(parents=True)
    for name in ("lab1.ipynb", "figure.svg", "decoding.py", "llmlab.toml", ".hidden"):
        (lab / name).write_text(name)
    monkeypatch.setattr(rooms, "PACKAGE", tmp_path / "llmlab")
    assert set(rooms.released()) == {"lab1.ipynb", "figure.svg"}
