"""Create or refresh .venv, the one environment of `make course`, `make test` and CI.

Runs with the Python that the person has, so it uses the standard library only.  It installs again only when
the pins, pyproject.toml, the interpreter or this file changed; otherwise it returns at once.  It touches no
other environment, and it does not choose versions: constraints.txt does.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".llmlab-stamp"
INPUTS = ("constraints.txt", "pyproject.toml", "tools/env.py")
OLDEST = (3, 11)

# setuptools builds llmlab itself; it must be there before the main command, which builds without isolation so
# that no second, unpinned setuptools is fetched.
BOOTSTRAP = ["-c", "constraints.txt", "pip", "setuptools", "wheel"]
# One command for all that needs torch: a second one could replace the build of torch that the first chose.
MAIN = ["--no-build-isolation", "-c", "constraints.txt", "torch==2.13.0", "-e", ".[all]"]


class EnvironmentProblem(Exception):
    """Something the person must change; the text says what, and what to do next."""


def fingerprint(root: Path, interpreter: str = sys.version) -> str:
    """Hash of all that decides what is installed: input files, interpreter and the place of the checkout.

    The place counts because the environment refers to the checkout, and its scripts to itself, by full path.
    """
    digest = hashlib.sha256(f"{interpreter}\0{root}".encode())
    for name in INPUTS:
        digest.update(name.encode() + b"\0" + (root / name).read_bytes())
    return digest.hexdigest()


def python_of(venv: Path) -> Path:
    """The interpreter inside a virtual environment, on any system."""
    return venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def commands(fresh: bool) -> list[list[str]]:
    """The commands that fill the environment, in order; `fresh` also creates it.

    Debian's Python comes without ensurepip unless python3-venv is installed.  Then the environment is made
    without pip, and the pip beside the interpreter puts one in.
    """
    inner = [str(python_of(VENV)), "-m", "pip"]
    has_ensurepip = importlib.util.find_spec("ensurepip") is not None
    if not has_ensurepip and importlib.util.find_spec("pip") is None:
        raise EnvironmentProblem(
            f"{sys.executable} has neither ensurepip nor pip, so no environment can be made.\n"
            "Install one of them (Debian and Ubuntu: apt-get install python3-venv) and run the command again."
        )
    steps = []
    if fresh:
        create = [sys.executable, "-m", "venv", "--clear", str(VENV)]
        steps.append(create if has_ensurepip else [*create, "--without-pip"])
    first_pip = inner if has_ensurepip else [sys.executable, "-m", "pip", "--python", str(python_of(VENV))]
    steps.append([*first_pip, "install", "--progress-bar", "off", "--quiet", *BOOTSTRAP])
    steps.append([*inner, "install", *MAIN])
    return steps


def main() -> int:
    """Make the environment current.  Returns 0, or 1 after saying what went wrong and what to do."""
    started = time.monotonic()
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        print(
            f"Python {found} at {sys.executable} is too old: the course needs 3.11 or newer.\n"
            "Name another one, for example: make course PYTHON=python3.12",
            file=sys.stderr,
        )
        return 1
    wanted = fingerprint(ROOT)
    if STAMP.is_file() and STAMP.read_text() == wanted and python_of(VENV).exists():
        print("environment: .venv is current")
        return 0
    fresh = not (STAMP.is_file() and python_of(VENV).exists())
    print(
        f"environment: {'creating' if fresh else 'refreshing'} .venv "
        "(the first time this downloads much and takes some minutes)",
        flush=True,
    )
    if STAMP.is_file():
        STAMP.write_text("incomplete")
    try:
        for command in commands(fresh):
            subprocess.run(command, cwd=ROOT, check=True)
        subprocess.run([str(python_of(VENV)), "-m", "pip", "check"], cwd=ROOT, check=True)
    except subprocess.CalledProcessError as error:
        print(
            f"environment: this command failed with exit code {error.returncode}: {error.cmd}\n"
            "Its own message is above. Is the package index reachable and the disk not full? "
            "Then run the same command again.",
            file=sys.stderr,
        )
        return 1
    except EnvironmentProblem as problem:
        print(f"environment: {problem}", file=sys.stderr)
        return 1
    STAMP.write_text(wanted)
    print(f"environment: ready after {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
