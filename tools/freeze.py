"""Write constraints.txt: the exact version of every package in the environment that runs this script.

Run it only to move the pins, in an environment where `make course` and `make test` pass:

    .venv/bin/python tools/freeze.py > constraints.txt

It does not choose versions and does not install anything.  What it leaves out, and why:
llmlab itself (it is the checkout), the CUDA packages that the default Linux build of torch brings along
(they follow from torch's own pins and do not exist on a CPU or on macOS), and the local part of a version
(`2.13.0+cpu` names one build of torch; every build of 2.13.0 must satisfy the file).
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable

LEFT_OUT = re.compile(r"llmlab$|nvidia-|cuda-|triton$")

HEADER = """\
# Every package of the environment, with the one version that the course is built and tested with.
# Both `make course` and `make test`, and so CI, install under this file.
# To move a pin: change pyproject.toml, install, run both commands, then `make freeze`.
"""


def canonical(name: str) -> str:
    """The name as package indexes compare it (PEP 503).

    >>> canonical("Sphinx_Design.x")
    'sphinx-design-x'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def lines(packages: Iterable[tuple[str, str]]) -> list[str]:
    """Sorted `name==version` lines for (name, version) pairs, without what does not belong in the file.

    >>> lines([("torch", "2.13.0+cpu"), ("Rich", "15.0.0"), ("nvidia-cublas", "13.1"), ("llmlab", "0.1.0")])
    ['rich==15.0.0', 'torch==2.13.0']
    """
    pins = {canonical(name): version.split("+")[0] for name, version in packages}
    return [f"{name}=={pins[name]}" for name in sorted(pins) if not LEFT_OUT.match(name)]


if __name__ == "__main__":
    installed = ((d.name, d.version) for d in importlib.metadata.distributions())
    print(HEADER + "\n".join(lines(installed)))
