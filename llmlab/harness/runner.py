"""The trusted side: sends cases to a candidate, serves its model calls, judges what comes back, adds up the points.

Expected values and judges stay in this process. Time is measured here. A candidate that dies or takes too long costs the
group it was working on; the next case gets a new process.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

import torch

from llmlab._finder import Found, find, short_hash
from llmlab.checks import registry
from llmlab.checks.compare import show
from llmlab.checks.protocol import Call, Case, Event, Model, New, Output, Raised, Remote, Returned, Step, Task, Verdict
from llmlab.harness import wire
from llmlab.harness.candidate import PRINTED
from llmlab.harness.clock import CLOCK
from llmlab.harness.report import Failure, GroupResult, Report, TaskResult
from llmlab.harness.requests import Request, batches, kept_request, request
from llmlab.harness.serving import Serving
from llmlab.harness.spawn import ColdStarter, Process, WarmServer, starter

PUBLIC_SEED = 0
MAX_NAMES = 32
LOAD_SECONDS = 20.0
FILE_SECONDS = 300.0
"""All cases of a file together, beyond which the rest of it is not tried."""


class Stopped(Exception):
    """The candidate's process is gone or was stopped; `status` is "timeout" or "crashed"."""

    def __init__(self, status: str, message: str):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """What came back of a case: outputs of its steps (those after one that raised have none), events, what was printed."""

    outputs: list[Output]
    events: list[Event]
    printed: str


class Candidate:
    """One module of one student in a process of its own."""

    def __init__(self, process: Process, module: str, source: bytes, file: str):
        self.process = process
        self.request = wire.encode({"op": "load", "module": module, "source": source, "file": file})

    def load(self) -> Raised | None:
        """Run the module's top level. Returns what it raised, if it did. Raises Stopped."""
        with self.deadline(LOAD_SECONDS, "reading the file"):
            answer = self.ask(self.request, Serving())
        return None if answer.get("loaded") is True else _raised(answer)

    @contextmanager
    def deadline(self, seconds: float, what: str):
        """Stop the process when the time is up, and tell a stop from a crash. Raises Stopped."""
        try:
            with CLOCK.limit(seconds, self.process.kill):
                yield
        except wire.Closed:
            late, how = self.process.killed, self.process.end()
            if late:
                raise Stopped("timeout", f"{what} took longer than {seconds:g} s and was stopped. Look for a loop that "
                              "never ends.") from None
            raise Stopped("crashed", f"{what} ended the process" + (f": it {how}." if how else ".")) from None

    def ask(self, request: bytes, serving: Serving) -> dict:
        """Send a request and answer the candidate's questions until its own answer comes."""
        wire.send(self.process.outward, request)
        while True:
            try:
                frame = wire.receive(self.process.inward)
                answer = wire.decode(frame)
            except wire.WireError as error:
                self.process.kill()
                raise Stopped("crashed", f"The process sent something unreadable: {error}.") from None
            if not isinstance(answer, dict):
                return {}
            reply = serving.answer(answer, len(frame))
            if reply is None:
                return answer
            wire.send(self.process.outward, reply)

    def run(self, request: Request) -> list[Answer]:
        """What came back of each case. Raises Stopped."""
        serving = Serving(request.given)
        several = len(request.cases) > 1
        what = f"{request.cases[0].task} on {'these cases' if several else 'this case'}"
        with self.deadline(request.seconds, what):
            answer = self.ask(request.frame, serving)
            if self.process.killed:  # it answered in time, but so much that reading it took longer
                raise wire.Closed("too late")
        try:
            told = answer["cases"]
            if len(told) != len(request.cases):
                raise TypeError(f"answers to {len(told)} of {len(request.cases)} cases")
            return [_answer(case, one, serving.of(request.owners, at))
                    for at, (case, one) in enumerate(zip(request.cases, told, strict=True))]
        except (KeyError, TypeError, AttributeError, wire.WireError) as error:
            raise Stopped("crashed", f"The process sent something unreadable: {error}.") from None


def _answer(case: Case, told: dict, events: list[Event]) -> Answer:
    """What came back of a case. Raises Stopped, or what `Candidate.run` calls unreadable."""
    if len(told["answers"]) > len(case.steps):
        raise TypeError(f"{len(told['answers'])} answers to {len(case.steps)} steps")
    outputs = [_output(wire.decode(frame)) for frame in told["answers"]]
    whole = len(outputs) == len(case.steps) and all(isinstance(output, Returned) for output in outputs[:-1])
    if not whole and not (0 < len(outputs) < len(case.steps) and isinstance(outputs[-1], Raised)):
        raise Stopped("crashed", f"The process answered {len(outputs)} of {len(case.steps)} steps.")
    return Answer(outputs, events, str(told["printed"])[:2 * PRINTED])


def _judged(checks: ModuleType, case: Case, outputs: list[Output], events: list[Event]) -> Verdict:
    """The check's verdict. A judge that fails on some odd result is a defect of the check; it must not end a class's run.

    Tests hold that no variant and no junk value ever gets "check-failed".
    """
    try:
        return checks.judge(case, outputs, events)
    except Exception as error:
        return Verdict(False, f"The check itself failed on this result ({type(error).__name__}: {error}). Tell your "
                       "instructor: this is a defect of the check.", misconception="check-failed")


def _raised(answer: dict) -> Raised:
    line = answer.get("line")
    return Raised(clean(str(answer.get("kind", "Exception"))[:200]), clean(str(answer.get("message", ""))[:2_000]),
                  line if isinstance(line, int) else None)


def clean(text: str) -> str:
    """Text that every file and page can hold: half a surrogate pair becomes a question mark.

    >>> clean("a\\ud800b")
    'a?b'
    """
    return text.encode("utf-8", "replace").decode("utf-8")


def _output(answer: dict) -> Output:
    if "kind" in answer:
        return _raised(answer)
    named = answer["mutated"]
    if not isinstance(named, list) or len(named) > MAX_NAMES:
        raise TypeError("the names of changed arguments cannot be read")
    return Returned(answer["value"], tuple(clean(str(name)[:60]) for name in named), answer.get("random") is True)


class Sitting:
    """One file and its cases: the candidate at work, the results so far, and what ended it all early, if something did."""

    def __init__(self, start: WarmServer | ColdStarter, module: str, source: bytes, path: str, checks: ModuleType,
                 results: _Results):
        self.start, self.module, self.source, self.path = start, module, source, path
        self.checks, self.results = checks, results
        self.candidate: Candidate | None = None
        self.stopped: Stopped | None = None
        self.late = time.monotonic() + FILE_SECONDS

    def take(self, batch: tuple[Case, ...]) -> None:
        """Try these cases: together, and one by one if they do not all come back."""
        if time.monotonic() > self.late and not self.stopped:
            self.stopped = Stopped("timeout", f"All cases together took longer than {FILE_SECONDS:g} s; the rest was not tried.")
        cases = tuple(case for case in batch if not self.stopped and not self.results.settled(case))
        for case in batch:
            if case not in cases:
                self.results.skip(case)
        if not cases:
            return
        began = time.monotonic()
        try:
            if not self.ready(cases):
                return
            answers = self.candidate.run(kept_request(cases) if cases == batch else request(cases))
        except Stopped as stop:
            self.end()
            if len(cases) == 1:
                verdict = Verdict(False, str(stop), misconception=stop.status)
                self.results.add(cases[0], verdict, "", time.monotonic() - began)
            else:
                for case in cases:
                    self.take((case,))
            return
        seconds = (time.monotonic() - began) / len(cases)
        for case, answer in zip(cases, answers, strict=True):
            if self.results.settled(case):  # since a case before it in this batch
                self.results.skip(case)
                continue
            verdict = _judged(self.checks, case, answer.outputs, answer.events)
            self.results.add(case, verdict, answer.printed, seconds)

    def ready(self, cases: tuple[Case, ...]) -> bool:
        """A candidate that has read the file; False if it cannot be read, and then nothing of it can be tried."""
        if self.candidate and not cases[0].fresh:
            return True
        self.end()
        self.candidate = Candidate(self.start.start(), self.module, self.source, self.path)
        try:
            bad = self.candidate.load()
        except Stopped as stop:
            self.end()
            self.stopped = stop
            self.results.add(cases[0], Verdict(False, str(stop), misconception=stop.status), "", 0.0)
        else:
            if not bad:
                return True
            self.stopped = Stopped("unreadable", _load_failure(self.path, bad))
            self.results.skip(cases[0])
        for case in cases[1:]:
            self.results.skip(case)
        return False

    def end(self) -> None:
        """Stop the candidate."""
        if self.candidate:
            self.candidate.process.end()
            self.candidate = None


class Harness:
    """Keeps the warm process between checks. Use it as a context manager, or `close` it."""

    def __init__(self, start: WarmServer | ColdStarter | None = None):
        self.starter = start or starter()

    def __enter__(self) -> Harness:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.starter.close()

    def check_source(self, module: str, source: bytes, path: str, tasks: Sequence[Task],
                     cases: Iterable[Case], checks: ModuleType) -> Report:
        """Check these bytes as `llmlab.<module>` against these cases, judged by `checks.judge`."""
        sitting = Sitting(self.starter, module, source, path, checks, _Results(tasks))
        wanted = {task.id for task in tasks}
        try:
            for batch in batches(case for case in cases if case.task in wanted):
                sitting.take(batch)
        finally:
            sitting.end()
        return Report(module, path, short_hash(source), sitting.results.finish(sitting.stopped))

    def check(self, name: str = "", *, found: Found | None = None, seed: int = PUBLIC_SEED) -> list[Report]:
        """Check the saved files behind a name ("", "decoding", "decoding.top_p"). Raises UnknownName, LabModuleError."""
        reports = []
        tasks = registry.tasks(name)
        for module in dict.fromkeys(task.module for task in tasks):
            source = found or find(module)
            checks = registry.checks_of(module)
            mine = [task for task in tasks if task.module == module]
            reports.append(self.check_source(module, source.read(), str(source.path), mine, checks.cases(seed), checks))
        return reports


def _load_failure(path: str, bad: Raised) -> str:
    where = f", line {bad.line}" if bad.line else ""
    return f"{path.rpartition('/')[2]}{where}: {bad.kind}: {bad.message}. The file cannot be run, so no task of it can be."


class _Results:
    """Collects verdicts by task and group, in the order of the tasks."""

    def __init__(self, tasks: Sequence[Task]):
        self.tasks = tasks
        self.counts = {(task.id, group): [0, 0] for task in tasks for group in task.groups}  # cases, passed
        self.failures: dict[tuple[str, str], Failure] = {}
        self.kinds: dict[str, set[str]] = {task.id: set() for task in tasks}
        self.seconds = {task.id: 0.0 for task in tasks}

    def settled(self, case: Case) -> bool:
        """True once a case of the same group was stopped: the rest of it would only wait again."""
        failure = self.failures.get((case.task, case.group))
        return failure is not None and failure.misconception in ("timeout", "crashed", "not-written")

    def skip(self, case: Case) -> None:
        self.counts[case.task, case.group][0] += 1

    def add(self, case: Case, verdict: Verdict, printed: str, seconds: float) -> None:
        count = self.counts[case.task, case.group]
        count[0] += 1
        count[1] += verdict.ok
        self.seconds[case.task] += seconds
        if verdict.ok:
            return
        self.kinds[case.task].add(verdict.misconception)
        self.failures.setdefault((case.task, case.group), Failure(
            case.task, case.group, clean(case.show or shown(case.steps[0])), clean(verdict.message), clean(verdict.expected),
            clean(verdict.got), verdict.misconception, clean(printed)))

    def finish(self, stopped: Stopped | None) -> tuple[TaskResult, ...]:
        done = []
        for task in self.tasks:
            groups = []
            for group, points in task.groups.items():
                cases, passed = self.counts[task.id, group]
                if not cases:
                    raise LookupError(f"the check of {task.id} has no case in its group {group!r}")
                failure = self.failures.get((task.id, group))
                if stopped and not failure and passed < cases:
                    failure = Failure(task.id, group, "", str(stopped), misconception=stopped.status)
                groups.append(GroupResult(group, points, cases, passed, failure))
            done.append(TaskResult(task.id, task.title, task.read, tuple(groups), self._status(task, groups, stopped),
                                   round(self.seconds[task.id], 3)))
        return tuple(done)

    def _status(self, task: Task, groups: list[GroupResult], stopped: Stopped | None) -> str:
        if all(group.passed == group.cases for group in groups):
            return "ok"
        if stopped:
            return stopped.status
        for kind in ("timeout", "crashed"):
            if kind in self.kinds[task.id]:
                return kind
        if any(group.earned for group in groups):
            return "partial"
        return "not-written" if "not-written" in self.kinds[task.id] else "wrong"


def shown(step: Step) -> str:
    """A step as the student would write it, tensors shortened."""
    def value(item) -> str:
        if isinstance(item, torch.Tensor):
            return show(item)
        if isinstance(item, (Model, Remote)):
            return "model" if isinstance(item, Model) else item.name
        return show(item)

    inside = [value(item) for item in step.args] + [f"{key}={value(item)}" for key, item in step.kwargs.items()]
    name = step.function if isinstance(step, Call) else step.cls if isinstance(step, New) else f"{step.name}.{step.method}"
    return f"{name}({', '.join(inside)})"
