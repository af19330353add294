"""The one rule that decides which file a lab module comes from."""

import importlib
import sys

import pytest

from llmlab import _finder
from llmlab._finder import CONFIG, LAB_MODULES, PACKAGE, Finder, LabModuleError, find, short_hash, use


def write(folder, text="VALUE = 0\n"):
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "decoding.py").write_text(text)
    return folder


def imported():
    """llmlab.decoding, imported anew."""
    sys.modules.pop("llmlab.decoding", None)
    try:
        return importlib.import_module("llmlab.decoding")
    finally:
        sys.modules.pop("llmlab.decoding", None)


def test_the_rules_decide_in_their_order(workspace, monkeypatch):
    """explicit > LLMLAB_CODE > nearest llmlab.toml > scaffold: take them away one by one."""
    given, env = write(workspace / "given"), write(workspace / "env")
    write(workspace)
    monkeypatch.setenv("LLMLAB_CODE", str(env))
    use(given)
    assert (find("decoding").path, find("decoding").origin) == (given / "decoding.py", "llmlab.use")
    use(None)
    assert (find("decoding").path, find("decoding").origin) == (env / "decoding.py", "LLMLAB_CODE")
    monkeypatch.delenv("LLMLAB_CODE")
    assert (find("decoding").path, find("decoding").origin) == (workspace / "decoding.py", str(workspace / CONFIG))
    (workspace / CONFIG).unlink()
    assert find("decoding").path == PACKAGE / "decoding.py"


def test_the_nearest_of_two_workspaces_counts(workspace, monkeypatch):
    inner = write(workspace / "a" / "b")
    (workspace / "a" / CONFIG).write_text('[workspace]\ncode = "b"\n')
    deep = inner / "c"
    deep.mkdir()
    monkeypatch.chdir(deep)
    assert find("decoding").path == inner / "decoding.py"


def test_a_single_file_given_explicitly_serves_its_module_only(workspace):
    write(workspace / "one")
    use(workspace / "one" / "decoding.py")
    assert find("decoding").path == workspace / "one" / "decoding.py"
    others = [module for module in LAB_MODULES if module != "decoding"]
    assert all(find(module).path == workspace / f"{module}.py" for module in others)


@pytest.mark.parametrize("rule", ["use", "LLMLAB_CODE", "llmlab.toml"])
def test_a_missing_file_is_an_error_and_not_a_fall_through(workspace, monkeypatch, rule):
    """Every later rule has the file; the chosen one has not."""
    empty = workspace / "empty"
    empty.mkdir()
    if rule == "llmlab.toml":
        (workspace / CONFIG).write_text('[workspace]\ncode = "empty"\n')
    else:
        write(workspace)
        monkeypatch.setenv("LLMLAB_CODE", str(empty if rule == "LLMLAB_CODE" else write(workspace / "env")))
    if rule == "use":
        use(empty)
    with pytest.raises(LabModuleError, match=r"decoding\.py.*cannot be read: No such file.*llmlab update"):
        find("decoding").read()
    with pytest.raises(LabModuleError, match="cannot be read"):
        imported()


def test_an_import_runs_the_saved_file_and_remembers_its_hash(workspace):
    write(workspace, "VALUE = 41\n")
    module = imported()
    assert (module.VALUE, module.__file__) == (41, str(workspace / "decoding.py"))
    assert module.__llmlab_hash__ == short_hash(b"VALUE = 41\n") == find("decoding").digest()


@pytest.mark.parametrize("name", ["checks", "models", "harness", "nothing", "decoding.extra", ""])
def test_only_lab_modules_are_looked_up(workspace, name):
    (workspace / f"{name}.py").write_text("raise SystemExit('imported')\n")
    assert Finder().find_spec(f"llmlab.{name}") is None
    with pytest.raises(LabModuleError, match="The lab modules are: decoding"):
        find(name)


def test_given_packages_are_the_given_ones_in_any_workspace(workspace):
    for name in ("checks", "models", "harness"):
        (workspace / name).mkdir()
        (workspace / name / "__init__.py").write_text("raise SystemExit('imported')\n")
        (workspace / f"{name}.py").write_text("raise SystemExit('imported')\n")
        spec = importlib.util.find_spec(f"llmlab.{name}")
        assert spec.origin == str(PACKAGE / name / "__init__.py")


@pytest.mark.parametrize(("text", "says"), [
    ("[workspace\n", "cannot be read"), ("[workspace]\ncode = 3\n", "must be a string, not 3"), ("workspace = 1\n", "cannot"),
    ("\udc80", "cannot be read")])
def test_a_broken_llmlab_toml_is_told_with_its_path(workspace, text, says):
    (workspace / CONFIG).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(LabModuleError, match=says) as told:
        find("decoding")
    assert str(workspace / CONFIG) in str(told.value)


def test_use_of_a_wrong_path_names_it(workspace):
    with pytest.raises(LabModuleError, match="no-such.*no such file or folder"):
        use(workspace / "no-such")


def test_installing_twice_changes_nothing():
    before = list(sys.meta_path)
    _finder.install()
    assert sys.meta_path == before
    assert isinstance(sys.meta_path[0], Finder) or any(isinstance(one, Finder) for one in sys.meta_path)
