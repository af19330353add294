"""Makes the folder with which Gradescope grades a lab: `setup.sh`, `run_autograder`, and what they need, also
as a zip.

    setup.sh             once, when the container is built: Python, the wheel at its pins, rights
    run_autograder       for each submission: grades it, writes /autograder/results/results.json
    course/              the released lab, its hidden cases, an empty gradebook; no solutions, no students
    llmlab-*.whl, constraints.txt

The hidden cases lie in the container. The student's code cannot read them: it runs in the sandbox that
`llmlab grade` uses (Landlock and seccomp, no privileges), everything in the folder belongs to root and is
closed to others. Where the container's kernel lacks an essential protection, nothing is graded and the result
says so; `--unprotected` in `run_autograder` is the instructor's decision.

After Gradescope's autograder specification; run here against a folder in place of /autograder, not uploaded.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from llmlab.grading import answers, artefact, database
from llmlab.grading.artefact import EPOCH
from llmlab.grading.course import Course, CourseError
from llmlab.grading.exports import gradescope
from llmlab.grading.places import Desk, desk
from llmlab.grading.release import release

SYSTEMS = ("gradescope",)
MARK = "llmlab-harness.json"
SCRIPTS = ("setup.sh", "run_autograder")
SETUP = """\
#!/usr/bin/env bash
# Builds the container: Python 3.11 or newer, llmlab at its pins, and rights. Run once, as root.
set -euo pipefail
ROOT="${LLMLAB_AUTOGRADER:-/autograder}"
SOURCE="$ROOT/source"
export DEBIAN_FRONTEND=noninteractive PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
apt-get update
apt-get install -y --no-install-recommends libseccomp2 bubblewrap ca-certificates
PYTHON=""
for VERSION in 3.12 3.13 3.11; do
  if apt-get install -y --no-install-recommends "python$VERSION" "python$VERSION-venv"; then
    PYTHON="python$VERSION"
    break
  fi
done
if [ -z "$PYTHON" ]; then
  echo "This image has no Python 3.11, 3.12 or 3.13. Choose Ubuntu 22.04 or newer as the base image." >&2
  exit 1
fi
"$PYTHON" -m venv "$ROOT/llmlab-venv"
PIP="$ROOT/llmlab-venv/bin/python -m pip install --no-cache-dir"
$PIP -c "$SOURCE/constraints.txt" "$SOURCE/@WHEEL@[grading]"
chown -R root:root "$SOURCE"
chmod -R u=rwX,go= "$SOURCE"
"""
RUN = """\
#!/usr/bin/env bash
# Grades the submission in $ROOT/submission. results.json is valid from the first moment on.
set -u
ROOT="${LLMLAB_AUTOGRADER:-/autograder}"
PYTHON="${LLMLAB_PYTHON:-$ROOT/llmlab-venv/bin/python}"
mkdir -p "$ROOT/results"
cp "$ROOT/source/not-graded.json" "$ROOT/results/results.json"
chmod 700 "$ROOT/source"
unset LLMLAB_CODE LLMLAB_GRADEBOOK
cd "$ROOT/source"
OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE PYTHONUTF8=1 "$PYTHON" -m llmlab.grading.container \\
  --course "$ROOT/source/course" --lab @LAB@ \\
  --submission "$ROOT/submission" --results "$ROOT/results/results.json"
exit 0
"""
STOPPED = "Not graded: the grader did not come to its end. This is not your mistake; tell your instructor."


def make(
    lab: str, course: Course, system: str = "gradescope", out: str = "", wheel: Path | None = None
) -> Path:
    """Write folder and zip; an older folder of ours is replaced, anything else is not. Returns the folder.

    wheel: a built one; default: built now. Raises CourseError.
    """
    if system not in SYSTEMS:
        raise CourseError(f"There is no harness for {system!r}. There is: {', '.join(SYSTEMS)}.")
    at = desk(lab, course)
    pins = course.root / "constraints.txt"
    if not pins.is_file():
        raise CourseError(f"There is no {pins}, so nothing would be pinned. Run `make freeze`.")
    folder = Path(out).expanduser() if out else course.root / "dist" / f"{lab}-{system}"
    if folder.exists() and not (folder / MARK).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise CourseError(f"{folder} exists and is no harness folder of ours. Name another with --out.")
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch) / "harness"
        _course(at, fresh / "course")
        wheel = wheel or artefact.build_wheel(course, Path(scratch), [lab])
        shutil.copy(wheel, fresh / wheel.name)
        shutil.copy(pins, fresh / "constraints.txt")
        (fresh / "setup.sh").write_text(SETUP.replace("@WHEEL@", wheel.name), encoding="utf-8")
        (fresh / "run_autograder").write_text(RUN.replace("@LAB@", lab), encoding="utf-8")
        (fresh / "not-graded.json").write_bytes(gradescope.encode(gradescope.failed(STOPPED)))
        (fresh / MARK).write_text(json.dumps({"lab": lab, "for": system}) + "\n", encoding="utf-8")
        for script in SCRIPTS:
            (fresh / script).chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(fresh, folder)
        _zip(fresh, folder.with_name(folder.name + ".zip"))
    return folder


def _course(at: Desk, to: Path) -> None:
    """A course without solutions and students: released anew, so that its gradebook is empty."""
    work = Course(to)
    new = desk(at.lab, work)
    new.text.parent.mkdir(parents=True)
    for part in at.texts:
        shutil.copy(part, new.text.parent)
    for name in ("nbgrader_config.py", "course.toml"):
        if (at.root / name).is_file():
            shutil.copy(at.root / name, new.root / name)
    shutil.copytree(at.root / "templates", new.root / "templates")
    shutil.copytree(at.course.solutions, work.solutions, ignore=shutil.ignore_patterns("__pycache__"))
    kept = at.root / "ledger" / f"{at.lab}-keys.json"
    if kept.is_file():  # so that nobody waits for numbers that are known
        new.ledger.parent.mkdir(parents=True)
        shutil.copy(kept, new.ledger.parent)
    outer = os.environ.pop(database.VARIABLE, None)
    try:
        release(at.lab, work)
        answers.keys(at.lab, work)
    finally:
        if outer is not None:
            os.environ[database.VARIABLE] = outer
    needed = {f"{module}.py" for module in at.modules} | {f"{at.lab}_answers.py"}
    for entry in work.solutions.iterdir():
        if entry.name == "hidden":
            for file in entry.iterdir():
                if file.name not in needed:
                    file.unlink()
        elif entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    (new.root / ".nbgrader.log").unlink(missing_ok=True)


def _zip(folder: Path, target: Path) -> None:
    """The folder's files at the top of a zip, scripts executable, with one fixed date."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = file.relative_to(folder).as_posix()
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = (0o755 if name in SCRIPTS else 0o644) << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
