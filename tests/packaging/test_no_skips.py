"""CI's rule: a skipped test fails the run, a GPU test's skip does not.  Each case is its own pytest run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAIN = ["-p", "no:cacheprovider"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "LLMLAB_NO_SKIPS"} | {
    "PYTHONPATH": str(ROOT),
    "PYTEST_ADDOPTS": "",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}
PASSES = "def test_passes():\n    assert 1 + 1 == 2\n"
FAILS = "def test_fails():\n    assert 1 + 1 == 3\n"
NEVER = "def test_never():\n    assert False\n"
GPU = "import pytest\n@pytest.mark.gpu\n@pytest.mark.skipif(True, reason='no CUDA')\n" + NEVER
SKIPPED = "import pytest\n@pytest.mark.skipif(True, reason='no browser here')\n" + NEVER
REFUSED = {  # reason that must be listed -> the file that skips with it
    "no browser here": SKIPPED,
    "found no database": "import pytest\ndef test_inside():\n    pytest.skip('found no database')\n",
    "no_such_package": "import pytest\npytest.importorskip('no_such_package')\n" + NEVER,
    "known defect": "import pytest\n@pytest.mark.xfail(reason='known defect')\n" + NEVER,
    "test_gpu_by_name": "import pytest\ndef test_gpu_by_name():\n    pytest.skip('only the name says gpu')\n",
}


def run(folder: Path, bodies: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest with the plugin, and no other but xdist, in a folder that holds the given test files."""
    for number, body in enumerate(bodies):
        (folder / f"test_{number}.py").write_text(body)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    gpu: needs CUDA\n")
    command = [sys.executable, "-m", "pytest", "-p", "tools.no_skips", "-p", "xdist", *PLAIN, *arguments]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_every_kind_of_skip_fails_the_run_and_is_named(tmp_path: Path, workers: list[str]) -> None:
    result = run(tmp_path, [PASSES, GPU, *REFUSED.values()], *workers)
    assert result.returncode == pytest.ExitCode.TESTS_FAILED, result.stdout
    listed = result.stdout.split("these tests must run here")[1].split("\n=")[0].strip("= \n").splitlines()
    assert len(listed) == len(REFUSED), result.stdout
    for reason in REFUSED:
        assert any(reason in line for line in listed), reason
    closing = result.stdout.strip().splitlines()[-1].strip("= ")
    assert closing.startswith("1 passed, 5 skipped, 1 xfailed in"), "pytest's closing line stays last"


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_a_gpu_tests_skip_is_allowed(tmp_path: Path, workers: list[str]) -> None:
    result = run(tmp_path, [PASSES, GPU], *workers)
    assert result.returncode == pytest.ExitCode.OK, result.stdout
    assert "must run here" not in result.stdout


def test_one_skip_is_enough_and_a_failure_stays_a_failure(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert run(tmp_path / "a", [PASSES, SKIPPED]).returncode == pytest.ExitCode.TESTS_FAILED
    assert run(tmp_path / "b", [PASSES, FAILS]).returncode == pytest.ExitCode.TESTS_FAILED


def test_the_suite_loads_the_rule_when_asked(tmp_path: Path) -> None:
    """The variable alone, through this suite's own conftest, turns a planted skip into a failed run."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_body.py").write_text(SKIPPED)
    command = [sys.executable, "-m", "pytest", *PLAIN, f"--rootdir={tmp_path}", str(tmp_path)]
    relaxed = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    strict = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env={**ENVIRONMENT, "LLMLAB_NO_SKIPS": "1"}
    )
    assert (relaxed.returncode, strict.returncode) == (0, 1), strict.stdout
