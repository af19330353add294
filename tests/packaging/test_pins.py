"""One version for every package: constraints.txt, pyproject.toml and environment.yml agree with what runs."""

from __future__ import annotations

import importlib.metadata
import re
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tools import env, freeze

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def constraints() -> dict[str, str]:
    """Name -> version of every line of constraints.txt; a line that is not `name==version` fails."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    parsed = [
        re.fullmatch(r"([a-z0-9-]+)==([0-9][0-9a-z.]*)", line) for line in lines if not line.startswith("#")
    ]
    assert None not in parsed, "every line is a canonical name, ==, and a version without a local part"
    pins = {match[1]: match[2] for match in parsed if match}
    assert len(pins) == len(parsed), "no name twice"
    return pins


def direct() -> list[Requirement]:
    """The direct dependencies of pyproject.toml, without the reference of `all` to the other extras."""
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    parsed = [Requirement(text) for group in groups for text in group]
    return [requirement for requirement in parsed if requirement.name != "llmlab"]


def test_direct_dependencies_have_the_versions_of_the_constraints() -> None:
    pins = constraints()
    for requirement in direct():
        assert str(requirement.specifier) == f"=={pins[freeze.canonical(requirement.name)]}", requirement


def test_all_means_every_group() -> None:
    groups = set(PROJECT["optional-dependencies"]) - {"all"}
    (everything,) = PROJECT["optional-dependencies"]["all"]
    assert Requirement(everything).extras == groups


def test_conda_gets_the_same_pins_and_the_same_install() -> None:
    pins = constraints()
    plain = [entry for entry in CONDA["dependencies"] if isinstance(entry, str)]
    (through_pip,) = [entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict)]
    for entry in plain:
        name, version = entry.split("=")
        if name == "python":
            assert version in SpecifierSet(PROJECT["requires-python"])
        else:
            assert version == pins[name], entry
    assert "-c constraints.txt" in through_pip and "-e .[all]" in through_pip
    named = [Requirement(line) for line in through_pip if not line.startswith("-")]
    assert [requirement.name for requirement in named][:1] == ["torch"]
    for requirement in named:
        assert str(requirement.specifier) == f"=={pins[requirement.name]}"


def test_make_installs_torch_and_the_rest_in_one_command() -> None:
    assert f"torch=={constraints()['torch']}" in env.MAIN
    assert "-e" in env.MAIN and ".[all]" in env.MAIN and "constraints.txt" in env.MAIN
    for name in env.BOOTSTRAP[2:]:
        assert name in constraints()


def installed() -> dict[str, importlib.metadata.Distribution]:
    """What is in the environment's own folders: setuptools puts its vendored copies on the path when it is used."""
    places = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    return {freeze.canonical(found.name): found for found in importlib.metadata.distributions(path=places)}


def test_this_environment_is_the_pinned_one() -> None:
    """What the tests run with is what the file says, so that a green run speaks for the file."""
    here = {name: found.version.split("+")[0] for name, found in installed().items()}
    tools_of_the_environment = {"pip", "setuptools", "wheel"}
    wrong = {
        name: (here.get(name), pin)
        for name, pin in constraints().items()
        if name not in tools_of_the_environment and here.get(name) != pin
    }
    assert wrong == {}, "installed, pinned: run `make env`"


def test_every_pin_runs_on_the_oldest_python_we_promise() -> None:
    """A release may need a later patch of Python 3.11 than a distribution ships: 3.11.0 must be enough."""
    oldest = ".".join(map(str, env.OLDEST)) + ".0"
    assert oldest in SpecifierSet(PROJECT["requires-python"])
    too_new = {}
    for name, found in installed().items():
        needs = found.metadata.get("Requires-Python")
        if name in constraints() and needs and oldest not in SpecifierSet(needs):
            too_new[name] = needs
    assert too_new == {}


@pytest.mark.parametrize("requirement", direct(), ids=lambda requirement: requirement.name)
def test_every_direct_dependency_is_explained(requirement: Requirement) -> None:
    table = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert f"| `{requirement.name}` |" in table, f"docs/dependencies.md has no row for {requirement.name}"
