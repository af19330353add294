"""Runs every case of tests/adversarial and writes what each had to come to, and what it came to.

    python -m tools.adversarial_table     writes results/adversarial.json

One entry per case: name, class of attack, what it tries, what is required, what came of it, and whether that is it. The book's
chapter for instructors shows the table. This measures no time and changes no verdict; `make test` runs the same cases.
"""

from __future__ import annotations

import datetime
import json
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "results" / "adversarial.json"
CLASSES = ("forging", "stealing", "damage", "malformed", "fairness", "control")


def entry(case, outcome: str, held: bool) -> dict[str, object]:
    return {"name": case.name, "class": case.kind, "tries": case.tries, "required": case.required, "outcome": outcome,
            "held": held}


def attacks(room) -> Iterator[dict[str, object]]:
    """The modules."""
    from tests.adversarial import damage, fair, forging, frames
    from tests.adversarial.room import earned, outcome

    for attack in [*forging.TABLES, *frames.TABLES, *damage.ATTACKS, *damage.KILLS, *fair.TABLES]:
        warm = room.warm
        report = room.attack(attack)
        left = room.left() + ["the warm process was lost"] * (room.warm != warm)
        said = {task.status for task in report.tasks if task.earned < task.points}
        held = earned(report) == attack.points and not left and (not attack.says or said <= set(attack.says))
        yield entry(attack, "; ".join([outcome(report), *left]), held)


def probes(room, bare) -> Iterator[dict[str, object]]:
    """What a process tries to get or to do, with namespaces around it and without."""
    from tests.adversarial import reaching, stealing
    from tests.adversarial.attack import Attack

    for probe in [*stealing.TABLES, *reaching.TABLES]:
        found = []
        for here in (room, bare):
            here.attack(Attack("earlier", "stealing", "", stealing.EARLIER))
            found += here.probe(probe) + here.left()
        said = {re.sub(r"\d{2,}", "N", one.partition(":")[0]) for one in found}  # process numbers change from run to run
        yield entry(probe, "; ".join(sorted(said)) or "nothing", not found)


def submissions(folder: Path) -> Iterator[dict[str, object]]:
    """Whole submissions, through intake and verdicts; the class through nbgrader too."""
    from tests.adversarial import classroom, malformed

    with classroom.quick():
        for name, table, record in (("malformed", malformed.TABLES, False), ("class", malformed.HONEST, True)):
            graded = classroom.grade(folder / name, table, record)
            for one in table:
                outcome = graded.outcome(one)
                yield entry(one, outcome, outcome == one.required)


def heavy() -> Iterator[dict[str, object]]:
    """Attacks on the trusted side's memory. Sizes vary from run to run, so the entry says only whether they are small."""
    from tests.adversarial.heavy import HEAVY, MOST_BYTES, MOST_MB

    done = subprocess.run([sys.executable, "-m", "tests.adversarial.heavy"], capture_output=True, text=True, cwd=ROOT, check=True)
    found = json.loads(done.stdout)
    for name, (tries, _) in HEAVY.items():
        small = found[name]["mb"] <= MOST_MB and found[name]["bytes"] <= MOST_BYTES
        yield {"name": name, "class": "damage", "tries": tries, "required": "memory and record stay small",
               "outcome": "both small" if small else "too much", "held": small}


def everything() -> list[dict[str, object]]:
    """All cases, in the order of the classes."""
    from tests.adversarial.room import Room

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in ("a", "b"):
            (folder / name).mkdir()
        room, bare = Room(folder / "a"), Room(folder / "b", namespaces=False)
        try:
            found = [*attacks(room), *probes(room, bare)]
        finally:
            room.close()
            bare.close()
        found += [*submissions(folder), *heavy()]
    return sorted(found, key=lambda one: CLASSES.index(str(one["class"])))


def table(cases: list[dict[str, object]], kind: str) -> dict[str, list]:
    """The cases of one class as the book shows them."""
    shown = [[str(one["name"]).replace("-", " "), one["tries"], one["outcome"]] for one in cases if one["class"] == kind]
    return {"columns": ["case", "what it does", "outcome"], "rows": shown}


def main() -> int:
    cases = everything()
    counts = {kind: sum(one["class"] == kind for one in cases) for kind in CLASSES}
    lost = [one for one in cases if not one["held"]]
    OUT.write_text(json.dumps({
        "origin": {"command": "python -m tools.adversarial_table", "date": datetime.date.today().isoformat(),
                   "machine": f"Linux {platform.release().partition('-')[0]}, {platform.machine()}",
                   "python": platform.python_version(), "torch": torch.__version__},
        "values": {"cases": len(cases), "held": len(cases) - len(lost), **{f"cases_{kind}": n for kind, n in counts.items()}},
        "tables": {kind: table(cases, kind) for kind in CLASSES},
        "cases": cases,
    }, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
    for one in lost:
        print(f"{one['class']}: {one['name']}: required {one['required']}; came to {one['outcome']}")
    print(f"{len(cases)} cases, {len(lost)} not as required; {OUT.relative_to(ROOT)}")
    return bool(lost)


if __name__ == "__main__":
    sys.exit(main())
