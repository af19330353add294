"""What a check of one file found: plain data, with a JSON form that the ledger keeps and every reader renders."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Failure:
    """The first case of a group that failed, told so that the student can act on it."""

    task: str
    group: str
    show: str
    message: str
    expected: str = ""
    got: str = ""
    misconception: str = ""
    printed: str = ""

    def text(self) -> str:
        """Several lines: what was called, what was wrong, expected and got."""
        lines = [f"{self.task}: {self.group}"]
        if self.show:
            lines.append(f"  called    {self.show}")
        lines.append(f"  {self.message}")
        if self.expected:
            lines.append(f"  expected  {self.expected}")
        if self.got:
            lines.append(f"  got       {self.got}")
        return "\n".join(lines)


@dataclass(frozen=True)
class GroupResult:
    """One group of cases: its points if all of them passed, else 0 and the first failure."""

    name: str
    points: float
    cases: int
    passed: int
    failure: Failure | None = None

    @property
    def earned(self) -> float:
        return self.points if self.passed == self.cases else 0.0


@dataclass(frozen=True)
class TaskResult:
    """One task. `status` is "ok", "partial", "wrong", "not-written", "timeout", "crashed" or "unreadable"."""

    id: str
    title: str
    read: str
    groups: tuple[GroupResult, ...]
    status: str
    seconds: float = 0.0

    @property
    def earned(self) -> float:
        return sum(group.earned for group in self.groups)

    @property
    def points(self) -> float:
        return sum(group.points for group in self.groups)

    @property
    def failure(self) -> Failure | None:
        """The first failure, if any."""
        return next((group.failure for group in self.groups if group.failure), None)


@dataclass(frozen=True)
class Report:
    """A checked file: which file, which bytes of it, and the result of each task."""

    module: str
    path: str
    hash: str
    tasks: tuple[TaskResult, ...] = field(default_factory=tuple)

    @property
    def earned(self) -> float:
        return sum(task.earned for task in self.tasks)

    @property
    def points(self) -> float:
        return sum(task.points for task in self.tasks)

    def task(self, task_id: str) -> TaskResult:
        """The result of one task. Raises KeyError."""
        for task in self.tasks:
            if task.id == task_id:
                return task
        raise KeyError(f"no task {task_id!r} in this report; it has {[t.id for t in self.tasks]}")

    def to_json(self) -> dict:
        """Plain data for `json.dump`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict) -> Report:
        """The inverse of `to_json`."""
        def group(g: dict) -> GroupResult:
            failure = g["failure"] and Failure(**g["failure"])
            return GroupResult(**{**g, "failure": failure})

        def task(t: dict) -> TaskResult:
            return TaskResult(**{**t, "groups": tuple(group(g) for g in t["groups"])})

        return cls(**{**data, "tasks": tuple(task(t) for t in data["tasks"])})
