"""What one case of the suite is: plain data. The tables are in `forging`, `frames`, `stealing`, `damage`,
`reaching`, `malformed` and `fair`; `room` runs them; `tools/adversarial_table.py` writes them down with their outcomes.

An `Attack` is a lab module, given as the text that is put behind a base. What it must get is exact: the points of
every task. A `Probe` is a function that runs in the student's process and returns what it could get or do, as lines
of text; there must be none. The same function, run outside of the sandbox, must find something: else it proves
nothing.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

FULL = {"greedy": 2.0, "top_k": 3.0, "min_p": 3.0}
"""The tasks that an attack is graded on, and their points: quick ones of the module `decoding`."""
NONE = dict.fromkeys(FULL, 0.0)


@dataclass(frozen=True)
class Attack:
    """`source` is put behind the `base`: "solution" (everything right), "starter" (nothing written), or "" (nothing).

    `gets` are the points of the tasks that do not get all of theirs; `says` must be the status of these, if given.
    """

    name: str
    kind: str
    tries: str
    source: str | bytes
    gets: Mapping[str, float] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    base: str = "solution"
    seconds: float = 5.0

    @property
    def points(self) -> dict[str, float]:
        return FULL | dict(self.gets)

    @property
    def required(self) -> str:
        said = f" ({' or '.join(self.says)})" if self.says else ""
        return ", ".join(f"{name} {points:g}" for name, points in self.points.items()) + said


@dataclass(frozen=True)
class Probe:
    """`function(world)` returns what it got. `control` is false for what must not be done outside of a sandbox.

    `shown` are things that the process may know; anything else that is found is too much.
    """

    kind: str
    function: Callable[[dict], list]
    control: bool = True

    @property
    def name(self) -> str:
        return self.function.__name__.replace("_", "-")

    @property
    def tries(self) -> str:
        return " ".join((self.function.__doc__ or "").split())

    required = "nothing"

    @property
    def source(self) -> str:
        """The function and its helpers as a module with a function `f`."""
        return HEAD + "\n\n".join(map(inspect.getsource, (attempt, refused, hold))) + "\n\n" + textwrap.dedent(
            inspect.getsource(self.function)) + f"\n\nf = {self.function.__name__}\n"


HEAD = """
import ctypes, errno, fcntl, gc, glob, linecache, mmap, os, platform, resource, signal, socket, stat, sys, threading
import time
import torch


"""


def attempt(found, what, action):
    """Add what `action` gives to `found`; a refusal adds nothing."""
    try:
        got = action()
    except BaseException:
        return
    if got is not None and got is not False and got != b"" and got != "" and got != []:
        found.append(f"{what}: {got!r}"[:200])


def refused(number):
    """True if an errno is a sandbox's or a kernel's refusal."""
    import errno

    return number in (errno.EPERM, errno.EACCES, errno.ENOSYS)


def hold(objects, needle):
    """What of these objects holds the needle, as text or as a number."""
    import torch

    seen = []
    for one in objects:
        try:
            if isinstance(one, torch.Tensor):
                if type(needle) is float and bool((one.double() == needle).any()):
                    seen.append("tensor")
            elif isinstance(one, (list, tuple)):
                seen += [type(one).__name__ for item in one if type(item) is type(needle) and needle == item]
            elif isinstance(one, dict):
                seen += ["dict" for item in one.values() if type(item) is type(needle) and needle == item]
            elif isinstance(one, (str, bytes)) and isinstance(needle, str):
                seen += [type(one).__name__] if needle in (one if isinstance(one, str) else
                                                           one.decode("latin-1")) else []
        except Exception:
            continue
    return seen[:5]
