"""Where the instructor's things are: the course repository and its folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class CourseError(RuntimeError):
    """Something of the course repository is missing; the message says what and what to do."""


@dataclass(frozen=True)
class Course:
    """The course repository: `root` holds `solutions/`, `assignments/` and `llmlab/`."""

    root: Path

    @property
    def solutions(self) -> Path:
        return self.root / "solutions"

    @property
    def assignments(self) -> Path:
        return self.root / "assignments"

    @property
    def package(self) -> Path:
        return self.root / "llmlab"


def course(start: Path | None = None) -> Course:
    """The course repository around `start` (default: the current folder, then the one this package lies in)."""
    places = [Path(start or Path.cwd()).resolve(), Path(__file__).resolve().parents[2]]
    for place in places:
        for folder in (place, *place.parents):
            if (folder / "solutions").is_dir() and (folder / "assignments").is_dir():
                return Course(folder)
    raise CourseError(f"{places[0]} is not inside the course repository (a folder with solutions/ and assignments/). "
                      "This command is for instructors: run it in the repository.")
