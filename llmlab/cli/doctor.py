"""`llmlab doctor`: what is installed, what works, how long it takes. It tries things out, and changes
nothing.

Three marks: fine; worth knowing (a mechanism or an optional tool is missing); wrong (checking does not work
without it).
"""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from rich.text import Text

from llmlab import __version__
from llmlab._finder import LAB_MODULES, LABS, PACKAGE, LabModuleError, find, workspace
from llmlab.cli import names, probes
from llmlab.cli.console import console, marks, plain, say

FINE, NOTE, WRONG = "ok", "part", "bad"
STYLE = {FINE: "green", NOTE: "yellow", WRONG: "red"}
MODELS = {"target": "model.safetensors", "draft": "model.safetensors"}


@dataclass(frozen=True)
class Finding:
    """One line: how bad, about what, and what was found."""

    mark: str
    about: str
    said: str


def pins() -> dict[str, tuple[str, bool]]:
    """Package -> (pinned version, whether it is needed by everyone), from the installed metadata of llmlab.
    """
    found: dict[str, tuple[str, bool]] = {}
    try:
        required = metadata.requires("llmlab") or []
    except metadata.PackageNotFoundError:
        return found
    for line in required:
        if match := re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)(.*)", line):
            name, version, rest = match.groups()
            found[name] = (version, "extra ==" not in rest or found.get(name, ("", False))[1])
    return found


def versions() -> Iterator[Finding]:
    """Installed versions against the pins. An optional package that is absent is told once, with its others.
    """
    known = pins()
    if not known:
        yield Finding(
            WRONG,
            "llmlab",
            "is not installed as a package, so its helper process cannot start. Run `pip install`.",
        )
    absent, right = [], []
    for name, (pinned, needed) in known.items():
        try:
            there = metadata.version(name)
        except metadata.PackageNotFoundError:
            if needed:
                yield Finding(
                    WRONG, name, f"is not installed; the pin is {pinned}. Run `pip install {name}=={pinned}`."
                )
            else:
                absent.append(name)
            continue
        if there.partition("+")[0] == pinned:
            right.append(name)
            if name in ("torch", "nbgrader"):
                yield Finding(FINE, name, there)
        else:
            yield Finding(NOTE, name, f"{there} is installed, {pinned} is the version that was tested.")
    if right:
        yield Finding(FINE, "versions", f"{len(right)} of {len(known)} pinned packages are as tested")
    if absent:
        yield Finding(
            NOTE, "not installed", f"{', '.join(sorted(absent))} (for instructors, the book and tests)"
        )


def machine() -> Iterator[Finding]:
    """Python, the processor, how many cores this process may use."""
    ok = sys.version_info >= (3, 11)
    yield Finding(
        FINE if ok else WRONG,
        "python",
        f"{platform.python_version()}, {sys.executable}" + ("" if ok else "; 3.11 or newer is needed"),
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding(
        FINE,
        "system",
        f"{platform.system()} {platform.machine()}, {_processor()}, {cores} cores for this process",
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        "unknown processor",
    )


def files() -> Iterator[Finding]:
    """Which rule of the finder applies, and whether the files are there."""
    root = workspace()
    yield Finding(
        FINE if root else NOTE, "workspace", str(root) if root else "none here; `llmlab start DIR` makes one"
    )
    for module in (module for lab in names.here() for module in LABS[lab]):
        try:
            found = find(module)
            yield Finding(FINE, module, f"{found.path} ({found.digest()}), chosen by {found.origin}")
        except LabModuleError as error:
            yield Finding(WRONG, module, str(error))
    for name, file in MODELS.items():
        path = PACKAGE / "models" / "weights" / name / file
        size = path.stat().st_size if path.is_file() else 0
        yield Finding(
            FINE if size else WRONG,
            f"model {name}",
            f"{size / 1e6:.1f} MB" if size else f"{path} is not there. Install llmlab again.",
        )


def helper() -> Iterator[Finding]:
    """Start the helper process, run an empty module in it twice, and say how long each took."""
    began = time.monotonic()
    try:
        from llmlab.harness.runner import Candidate, Stopped
        from llmlab.harness.spawn import Closed, starter
    except ImportError as error:
        yield Finding(WRONG, "helper process", f"cannot be tried: {error}")
        return
    imported = time.monotonic() - began
    start = starter()
    try:
        times = []
        for _ in range(2):
            began = time.monotonic()
            candidate = Candidate(start.start(), LAB_MODULES[0], b"", "empty.py")
            bad = candidate.load()
            candidate.process.end()
            times.append(time.monotonic() - began)
            if bad:
                yield Finding(
                    WRONG, "helper process", f"an empty file did not load: {bad.kind}: {bad.message}"
                )
                return
    except (Closed, Stopped, OSError) as error:
        yield Finding(
            WRONG, "helper process", f"does not start: {error}. Is llmlab installed for {sys.executable}?"
        )
        return
    finally:
        start.close()
    yield Finding(
        FINE,
        "helper process",
        f"first start {times[0]:.2f} s, warm {times[1]:.2f} s (import of torch here {imported:.2f} s)",
    )


def sandbox() -> Iterator[Finding]:
    """What can contain a student's code on this machine: the mechanisms, each tried on its own."""
    for name in probes.PROBES:
        ok, said = probes.probe(name)
        yield Finding(FINE if ok else NOTE, name, said)


PROTECTIONS = {
    "files": "files outside of Python and its packages cannot be read",
    "writing": "no file can be made or changed",
    "network": "no TCP, UDP or Unix socket",
    "processes": "no new process, no other program",
    "signals": "no signal to another process",
    "memory": "no allocation above the limit",
    "neighbours": "no look into the process it came from",
    "kernel interfaces": "ptrace, memfd, bpf, io_uring, keys and the like are refused",
    "privileges": "no capability is left, root or not",
    "descriptors": "nothing is open but its own channel",
}


def protections() -> Iterator[Finding]:
    """What a submission is really refused: tried from inside the same confined fork that a submission gets."""
    from llmlab.harness.sandbox import ESSENTIAL
    from llmlab.harness.spawn import Closed, starter

    try:
        start = starter()
        try:
            held = start.protections()
        finally:
            start.close()
    except (Closed, OSError) as error:
        yield Finding(NOTE, "confinement", f"cannot be tried: {error}")
        return
    for name, said in PROTECTIONS.items():
        ok = held.get(name, False)
        needed = "needed to grade real submissions; see docs/grading.md" if name in ESSENTIAL else "not enforced here"
        yield Finding(FINE if ok else NOTE, name, said if ok else f"NOT held on this machine ({needed})")


def run() -> int:
    """Print every finding as it comes; 1 if something is wrong, else 0."""
    to = console()
    signs = marks(to)
    worst = FINE
    for title, findings in (
        (f"llmlab {__version__}", machine),
        ("packages", versions),
        ("files", files),
        ("checking", helper),
        ("mechanisms that can confine code (for graders)", sandbox),
        ("what a submission is refused here (for graders)", protections),
    ):
        say(title, "bold")
        for one in findings():
            worst = WRONG if WRONG in (worst, one.mark) else worst
            to.print(
                Text.assemble(
                    "  ", (signs[one.mark], STYLE[one.mark]), f" {one.about:<17} ", plain(one.said)
                ),
                soft_wrap=True,
            )
    say(
        "Something is wrong: see the lines marked with " + signs["bad"] if worst == WRONG else "Ready.",
        STYLE[worst],
    )
    return 1 if worst == WRONG else 0
