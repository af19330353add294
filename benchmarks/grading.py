"""How fast a class is graded: ours, plain `nbgrader autograde`, otter-grader. Writes results/grading.json; what the parts
`memory` and `harm` find, which need no idle machine, goes to results/grading_memory.json and grading_harm.json.

    python -m benchmarks.grading [--students 200] [--seed 1] [--rounds 3] [--block 40] [--many 2000] [--otter-python PATH]

In each round our grader grades the whole class, from nothing to the last verdict, start of its workers included: once without
nbgrader's recording (`verdicts`), once with it (`whole`). Then plain nbgrader grades the next block of the same submissions, and
otter a few. So whatever else the machine does hits all, and a ratio compares what ran one after the other. Verdicts are
compared cell by cell, and with what is known of the submissions. Stock nbgrader and otter run the same hidden cases and
judges in the student's kernel (`grading_peers/stock_checks.py`). Nobody runs the cells that only display; that is measured
apart. Submissions that hang or end their process are not in the class: what each grader does with one is a table of its own.

otter-grader is no dependency of the project. To include it, give the Python of an environment made by

    python -m venv otter && otter/bin/pip install otter-grader torch==2.13.0 numpy nbformat ipykernel

A stop (Ctrl-C) keeps what was measured. Everything is done in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import record
from benchmarks.grading_peers import courses, figures, peers
from benchmarks.grading_peers.peers import Peer
from benchmarks.grading_peers.population import Population, Student
from benchmarks.grading_peers.usage import Peak
from llmlab.grading import answers
from llmlab.grading.course import Course
from llmlab.grading.ledger import Ledger
from llmlab.grading.places import Desk, desk

COMMAND = "python -m benchmarks.grading"
SMALL = 20
"""Submissions for what is measured apart: otter, display, the command line, the smallest class for memory."""

PATIENCE = 120.0
"""Seconds that a grader gets for one submission that may hang it."""


class Bench:
    """One run: folders, peers, and what was found so far."""

    def __init__(self, options: argparse.Namespace, folder: Path, console: Console):
        self.options, self.folder, self.console = options, folder, console
        self.values: dict[str, Any] = {"students": options.students, "seed": options.seed, "block": options.block,
                                       "rounds": options.rounds, "complete": "no"}
        self.held: dict[str, Any] = {}  # what the part `memory` found
        self.survived: dict[str, Any] = {}  # what the part `harm` found
        self.points: dict[str, dict[str, dict[str, float]]] = {}
        console.print("making the class")
        self.at = courses.ours(folder / "first")
        population = Population(self.at, options.seed)
        self.students, self.bad = population.all(options.students), population.bad()
        self.population = population
        self.full = {task.id.replace(".", "-"): task.points for task in self.at.tasks} | {
            f"answer-{question.id}": float(question.points) for question in answers.questions(courses.LAB)}

    def course(self, name: str, students: list[Student]) -> Desk:
        """A course of ours with these submissions; the keys of the numbers are known, as after the first class."""
        shutil.copytree(self.at.course.root, self.folder / name, symlinks=True)
        at = desk(courses.LAB, Course(self.folder / name))
        courses.hand_in(at, students)
        return at

    @contextmanager
    def peer(self, name: str, module: str, *arguments: Any, python: str = sys.executable) -> Iterator[Peer]:
        made = Peer(name, module, *arguments, log=self.folder / f"{name}.log", python=python)
        try:
            yield made
        finally:
            made.close()

    def ours(self, name: str, at: Desk, *phases: str):
        return self.peer(name, "ours", at.course.root, self.options.workers, *phases)

    def stock(self, name: str, students: list[Student]):
        root = self.folder / name
        courses.stock(root, self.at)
        courses.hand_in_stock(root, self.at, students)
        return self.peer(name, "stock", root, self.options.block)

    def otter(self, name: str, students: list[Student]):
        root = self.folder / name
        courses.hand_in_otter(root, self.at, students)
        return self.peer(name, "otter_grader", root, self.options.block, python=self.options.otter_python)

    def in_turn(self) -> None:
        """Each grader once, then each again, until all rounds are done."""
        wanted, graders = self.options.graders.split(","), []
        own = [Classes(self, name) for name in ("verdicts", "whole") if name in wanted]
        graders.extend(own)
        with ExitStack() as stack:
            if "stock" in wanted:
                few = self.students[:self.options.rounds * self.options.block]
                graders.append(stack.enter_context(self.stock("stock", few)))
            if "otter" in wanted and self.options.otter_python:
                graders.append(stack.enter_context(self.otter("otter", self.students[:self.options.small])))
            try:
                self.turns(graders)
            finally:
                self.keep(graders)
                self.points |= {one.name: ledger_points(one.at, self.students) for one in own if one.blocks}
                self.agree()

    def turns(self, graders: list[Peer | Classes]) -> None:
        while any(not peer.done for peer in graders):
            for peer in graders:
                if peer.done:
                    continue
                try:
                    block = peer.block()
                except RuntimeError as error:
                    if peer.name != "otter":
                        raise
                    self.values["otter"], peer.done = None, True
                    self.values["otter_reason"] = str(error)[:300]
                    continue
                self.console.print(f"  {peer.name:<9} {len(peer.blocks):3}  {block.students:3} submissions  "
                                   f"{block.seconds:7.2f} s  {block.cpu:7.2f} CPU s")

    def keep(self, graders: list[Peer | Classes]) -> None:
        """What the blocks so far tell."""
        by = {peer.name: peer for peer in graders if peer.blocks}
        for name, peer in by.items():
            self.values |= figures.spread(name, peer.blocks)
            told = [block.told for block in peer.blocks]
            if "points" in told[0]:
                self.points[name] = {student: got for one in told for student, got in one["points"].items()}
                self.values[f"{name}_ungraded"] = sum(bool(why) for one in told for why in one["failed"].values())
        for name, slow, fast in (("ratio_verdicts", "stock", "verdicts"), ("ratio_whole", "stock", "whole"),
                                 ("ratio_otter", "otter", "verdicts")):
            if slow in by and fast in by:
                self.values |= figures.ratio(name, by[slow].blocks, by[fast].blocks)
        self.values.setdefault("otter", "measured" if "otter" in by else None)
        if "otter" not in by:
            self.values.setdefault("otter_reason", "no --otter-python was given")

    def agree(self) -> None:
        """Points compared, and held against what is known."""
        for name in ("verdicts", "whole", "stock", "otter"):
            if name in self.points:
                found = figures.wrong(self.points[name], self.students, self.full)
                self.values[f"{name}_wrong"] = len(found)
                self.values[f"{name}_known"] = figures.known(self.points[name], self.students)
                for student, cell, must, got in found[:20]:
                    self.console.print(f"  wrong: {name} gave {got:g} to {student} in {cell}, which must get {must}")
        for other in ("whole", "stock", "otter"):
            if other in self.points and "verdicts" in self.points:
                odd = figures.differences(self.points["verdicts"], self.points[other])
                self.values[f"differ_{other}"] = sum(odd.values())
                for (cell, a, b), count in odd.most_common(20):
                    self.console.print(f"  differs: {cell}: ours {a:g}, {other} {b:g}, {count} times")

    def command_line(self) -> None:
        """`nbgrader autograde` called once for a small class, as on the command line."""
        few = self.students[:self.options.small]
        with self.stock("cli", few):
            pass  # it releases the lab before its first turn
        root = self.folder / "cli"
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "nbgrader", "autograde", courses.LAB, "--create", "--force"], cwd=root,
                              capture_output=True, text=True, env=peers.environment(sys.executable))
        self.values |= {"cli_seconds": (time.monotonic() - began) / len(few), "cli_n": len(few), "cli_code": done.returncode}

    def memory(self) -> None:
        """The most memory that grading takes, for classes of different size; display runs apart, on the smallest."""
        sizes = sorted({min(self.options.small, self.options.students), self.options.students, self.options.many} - {0})
        for size in sizes:
            students = self.students if size <= len(self.students) else self.population.all(size)
            at = self.course(f"memory-{size}", students[:size])
            with self.ours(f"memory-{size}", at, "record", "display") as peer, Peak(peer.process.pid) as peak:
                took = sum(block.seconds for block in peer.rest())
                self.held[f"mib_{size}"] = peak_mib(peak)
                self.console.print(f"  {size} submissions: {peak_mib(peak):.0f} MiB, {took:.1f} s")
                if size == sizes[0]:
                    shown = peer.rest()
                    self.held |= {"display_seconds": sum(x.seconds for x in shown) / size,
                                  "display_cpu": sum(x.cpu for x in shown) / size, "display_n": size}

    def harm(self) -> Table:
        """What each grader does with submissions that hang or end their process."""
        table = Table("submission", "grader", "seconds", "right cells kept", "outcome", title="What each grader did")
        for one in self.bad:
            at = self.course(f"bad-{one.kind}", [one])
            with self.ours(f"bad-{one.kind}", at, "verdicts") as peer:
                took = peer.rest()[-1].seconds
            status = Ledger(at.ledger).read(one.name, "verdicts").get("status", "lost")
            self.harmed(table, one, "ours", took, ledger_points(at, [one]).get(one.name, {}), status)
            others = [("stock", self.stock(f"stock-{one.kind}", [one]))]
            if self.options.otter_python:
                others.append(("otter", self.otter(f"otter-{one.kind}", [one])))
            for name, made in others:
                with made as peer:
                    began = time.monotonic()
                    try:
                        told = peer.rest(PATIENCE)[-1].told
                        took, got, why = told["seconds"], told["points"].get(one.name, {}), told["failed"][one.name]
                    except RuntimeError as error:
                        took, got, why = time.monotonic() - began, {}, f"no result: {error}"
                self.harmed(table, one, name, took, got, why or "graded")
        return table

    def harmed(self, table: Table, one: Student, grader: str, took: float, got: dict[str, float], why: str) -> None:
        right = [cell for cell, must in one.truth.items() if must == "full"]
        kept = sum(got.get(cell) == self.full[cell] for cell in right)
        self.survived |= {f"{one.kind}_{grader}_kept": kept, f"{one.kind}_{grader}_of": len(right),
                          f"{one.kind}_{grader}_seconds": took, f"{one.kind}_{grader}_outcome": why[:200]}
        table.add_row(one.kind, grader, f"{took:.1f}", f"{kept} of {len(right)}", why[:60])


class Classes:
    """Our grader on the whole class: every turn a new course, a new process, all submissions."""

    def __init__(self, bench: Bench, name: str):
        self.bench, self.name, self.blocks, self.done = bench, name, [], False
        self.at = bench.at

    def block(self) -> peers.Block:
        bench, turn = self.bench, len(self.blocks) + 1
        self.at = bench.course(f"{self.name}-{turn}", bench.students)
        phases = ("verdicts", "record") if self.name == "verdicts" else ("record",)
        last = turn == bench.options.rounds
        with bench.ours(f"{self.name}-{turn}", self.at, *phases) as peer:
            made = peer.rest()[-1]
            if last and len(phases) > 1:  # recording alone, of verdicts that are known
                again, count = peer.rest()[-1], len(bench.students)
                bench.values |= {"recording_seconds": again.seconds / count,
                                 "recording_nbgrader_seconds": again.told["recording"] / count}
        self.blocks.append(made)
        self.done = last
        return made


def peak_mib(peak: Peak) -> float:
    return peak.bytes / 2**20


def ledger_points(at: Desk, students: list[Student]) -> dict[str, dict[str, float]]:
    """Our points by student and cell."""
    ledger, found = Ledger(at.ledger), {}
    for one in students:
        cells = ledger.read(one.name, "verdicts").get("cells")
        if cells is not None:
            found[one.name] = {name: float(cell["points"]) for name, cell in cells.items()}
    return found


def table(values: dict[str, Any]) -> Table:
    """Speed, by grader."""
    made = Table("grader", "n", "s a submission (quartiles)", "a minute", "CPU s", "wrong cells", "ungraded", title="Speed")
    for name, shown in (("verdicts", "ours, verdicts"), ("whole", "ours, with recording"), ("stock", "nbgrader autograde"),
                        ("otter", "otter-grader")):
        if f"{name}_n" in values:
            parts = (values[f"{name}_seconds_{part}"] for part in ("median", "q1", "q3"))
            made.add_row(shown, str(values[f"{name}_n"]), "{:.3f} ({:.3f} to {:.3f})".format(*parts),
                         f"{values[f'{name}_per_minute']:.1f}", f"{values[f'{name}_cpu']:.2f}",
                         f"{values.get(f'{name}_wrong', '?')} of {values.get(f'{name}_known', '?')}",
                         str(values.get(f"{name}_ungraded", 0)))
    return made


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--block", type=int, default=40, help="submissions in a turn of plain nbgrader")
    parser.add_argument("--rounds", type=int, default=3, help="how often each grader has its turn")
    parser.add_argument("--small", type=int, default=SMALL, help="submissions for what is measured apart")
    parser.add_argument("--many", type=int, default=0, help="a large class, for memory only")
    parser.add_argument("--workers", type=int, default=2, help="processes of ours")
    parser.add_argument("--otter-python", default="", help="the Python of an environment that has otter-grader")
    parser.add_argument("--only", default="turns,cli,memory,harm", help="parts to measure, with commas")
    parser.add_argument("--graders", default="verdicts,whole,stock,otter", help="who takes turns, with commas")
    parser.add_argument("--results", type=Path, default=record.RESULTS, help="the folder to write grading.json to")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options, console = parsed(arguments), Console(width=None if sys.stdout.isatty() else 120)
    parts = options.only.split(",")
    with tempfile.TemporaryDirectory(prefix="llmlab-grading-") as folder:
        bench = Bench(options, Path(folder), console)
        tables: list[Table] = []
        try:
            if "turns" in parts:
                bench.in_turn()
            if "harm" in parts:
                tables.append(bench.harm())
            if "cli" in parts:
                bench.command_line()
            if "memory" in parts:
                bench.memory()
            bench.values["complete"] = "yes"
        except KeyboardInterrupt:
            console.print("stopped: what was measured so far is kept")
        console.print(table(bench.values), *tables)
        console.print(json.dumps({key: value for key, value in bench.values.items() if key.startswith(("ratio", "differ"))},
                                 indent=1))
        record.RESULTS = options.results
        given = " ".join(sys.argv[1:] if arguments is None else arguments)
        given = given.replace(str(options.otter_python), "PATH") if options.otter_python else given
        told = {"options": given} if given else {}
        told["complete"] = bench.values["complete"]
        if set(parts) & {"turns", "cli"}:
            record.write("grading", COMMAND, bench.values | told)
        for name, found in (("grading_memory", bench.held), ("grading_harm", bench.survived)):
            if found:
                record.write(name, COMMAND, found | told)
    return 0 if bench.values["complete"] == "yes" else 130


if __name__ == "__main__":
    raise SystemExit(main())
