"""The GitHub Classroom workflow: `.github/workflows/classroom.yml` for the repository students start from.

It installs the wheel that lies in the repository and runs the public checks, one step for each task, through
Classroom's own grader actions. It knows no hidden case and no secret: a student can read and change it, so
its points are self-checks, and the grade comes from `llmlab grade`. Classroom's command grader gives all or
nothing for a task.

Validated by format, not run on GitHub.
"""

from __future__ import annotations

from llmlab import __version__
from llmlab.checks.protocol import Task

CHECKOUT = "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2"
PYTHON = "actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0"
GRADER = "classroom-resources/autograding-command-grader@v1"
REPORTER = "classroom-resources/autograding-grading-reporter@v1"
MINUTES = 5

HEAD = """\
# Public checks of {lab} on GitHub Classroom. Put this file into .github/workflows/ of the repository,
# beside the released files and {wheel} (`make student` builds it).
name: {lab}
on: [push, repository_dispatch]
permissions:
  checks: write
  actions: read
  contents: read
jobs:
  run-autograding-tests:
    runs-on: ubuntu-24.04
    timeout-minutes: 60
    if: github.actor != 'github-classroom[bot]'
    env:
      PIP_EXTRA_INDEX_URL: https://download.pytorch.org/whl/cpu
    steps:
      - name: Take the student's files
        uses: {checkout}
        with:
          persist-credentials: false
      - name: Python
        uses: {python}
        with:
          python-version: "3.12"
      - name: Install the course
        run: python -m pip install ./{wheel}
"""
STEP = """\
      - name: {task}
        id: {name}
        uses: {grader}
        with:
          test-name: {task}
          setup-command: ""
          command: llmlab check {task}
          timeout: {minutes}
          max-score: {points:g}
"""
TAIL = """\
      - name: Report the points
        uses: {reporter}
        env:
{results}
        with:
          runners: {names}
"""


def classroom(lab: str, tasks: list[Task]) -> str:
    """The workflow's text."""
    wheel = f"llmlab-{__version__}-py3-none-any.whl"
    names = [task.id.replace(".", "-").replace("_", "-") for task in tasks]
    steps = [
        STEP.format(task=task.id, name=name, grader=GRADER, minutes=MINUTES, points=task.points)
        for task, name in zip(tasks, names, strict=True)
    ]
    results = "\n".join(
        f'          {name.upper()}_RESULTS: "${{{{steps.{name}.outputs.result}}}}"' for name in names
    )
    return (
        HEAD.format(lab=lab, wheel=wheel, checkout=CHECKOUT, python=PYTHON)
        + "".join(steps)
        + TAIL.format(reporter=REPORTER, results=results, names=",".join(names))
    )
