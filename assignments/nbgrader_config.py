"""nbgrader's configuration of the course. Run nbgrader's commands in this folder: they find it here.

Differences from nbgrader's defaults: test cells are not executed, their verdicts are looked up in the ledger
(llmlab.grading.lookup); Markdown is cleaned wherever nbgrader shows it (llmlab.grading.sanitise).
"""

import os
import sys
from pathlib import Path

from nbconvert.preprocessors import ClearMetadataPreprocessor, CSSHTMLHeaderPreprocessor
from nbgrader.preprocessors import (
    AssignLatePenalties,
    GetGrades,
    IgnorePattern,
    LimitOutput,
    SaveAutoGrades,
)
from nbgrader.server_extensions.formgrader.handlers import template_path

from llmlab._finder import LABS
from llmlab.grading.database import gradebook_url
from llmlab.grading.lookup import LedgerLookup
from llmlab.grading.page_state import PageState

HERE = Path(globals().get("__file__") or Path.cwd() / "nbgrader_config.py").resolve().parent

# nbgrader calls `alembic` by name to make or upgrade the gradebook: find the one beside this Python, also when its environment
# is not activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

c = get_config()  # noqa: F821  (given by traitlets)

c.CourseDirectory.course_id = "llmlab"
c.CourseDirectory.root = str(HERE)
# SQLite here, or what LLMLAB_GRADEBOOK or course.toml names.
c.CourseDirectory.db_url = gradebook_url(HERE)
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", ".*", "*.new"]

# A student's module is theirs: the master never replaces it, even if somebody adds a .py to source/.
c.Autograde.exclude_overwriting = {lab: [f"{module}.py" for module in modules] for lab, modules in LABS.items()}
# nbgrader's list, with the lookup in place of Execute, and without CheckCellMetadata: the pass before this one
# (sanitize_preprocessors) checks the same cells, and it takes a tenth of nbgrader's time.
c.Autograde.autograde_preprocessors = [
    LedgerLookup,
    IgnorePattern,
    ClearMetadataPreprocessor,
    LimitOutput,
    SaveAutoGrades,
    AssignLatePenalties,
]
c.AssignLatePenalties.plugin_class = "llmlab.grading.late_penalty.LatePenalty"
c.LedgerLookup.ledger = str(HERE / "ledger")
# Where links of the feedback lead: by default to the book built beside the course.
c.LedgerLookup.book = os.environ.get("LLMLAB_BOOK_URL", "../../../../_build/html/")

# Written answers: an answer that still reads like this was not given.
c.ClearSolutions.text_stub = "Write your answer here."
c.ClearSolutions.code_stub = {"python": "# Put your numbers in place of None."}

c.GenerateFeedback.preprocessors = [GetGrades, PageState, CSSHTMLHeaderPreprocessor]
# Ours first (feedback), then nbgrader's, where formgrader finds its own page.
c.HTMLExporter.extra_template_basedirs = [str(HERE / "templates"), template_path]
c.HTMLExporter.filters = {"markdown2html": "llmlab.grading.sanitise.markdown2html"}

# `nbgrader export` writes here; grades.csv is llmlab's, with a status and a reason for everybody.
c.ExportPlugin.to = "gradebook.csv"
