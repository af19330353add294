"""Text and numbers for files that other programs open. It knows no format.

A student's text can reach a spreadsheet, a terminal and a web page. Here it loses what these obey: escape
sequences, control and direction characters, and a beginning that a spreadsheet takes for a formula (the list
is OWASP's "CSV Injection"). Numbers stay numbers: they are written by `number`, never by `safe`.
"""

from __future__ import annotations

import math
import re
import unicodedata

from llmlab.grading.course import CourseError

ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\)|\x1b.?|\x9b[0-?]*[ -/]*[@-~]", re.DOTALL
)
"""What a terminal obeys: colours, cursor, titles, links."""

FORMULA = "=+-@"
QUOTES = " \"'`´‘’‚“”„«»\N{FULLWIDTH QUOTATION MARK}\N{FULLWIDTH APOSTROPHE}"
NEXT_CELL = re.compile(r"(;\s*)(?=[=+\-@＝＋－＠])")
"""In some countries a spreadsheet splits cells at `;`: what follows it is then the beginning of a cell."""


def clean(text: str, keep_lines: bool = False) -> str:
    """`text` without escape sequences; other unprintable characters become a space (newlines can stay).

    >>> clean("a\\x1b[31mred\\x1b[0m\\u202eb\\nc")
    'ared b c'
    """
    text = ESCAPES.sub("", text.replace("\r\n", "\n"))
    return "".join(c if c.isprintable() or (keep_lines and c == "\n") else " " for c in text)


def safe(text: str, limit: int = 2_000) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe goes before the signs that start one.

    Full-width signs count, and so do signs behind spaces, quotes or a semicolon.

    >>> safe('=HYPERLINK("x")'), safe("\\t -1+2"), safe("＝1"), safe("a;=1"), safe("ada")
    ('\\'=HYPERLINK("x")', "'  -1+2", "'＝1", "a;'=1", 'ada')
    """
    text = clean(text)
    text = text if len(text) <= limit else text[: limit - 3] + "..."
    text = NEXT_CELL.sub(r"\1'", text)
    bare = text.lstrip(QUOTES)
    return "'" + text if bare and unicodedata.normalize("NFKC", bare[0])[:1] in FORMULA else text


def number(value: float) -> str:
    """A number as spreadsheets and gradebooks read it, to four decimals. Raises CourseError if it is not
    finite.

    >>> number(7.5), number(12), number(1 / 3)
    ('7.5', '12', '0.3333')
    """
    if not math.isfinite(value):
        raise CourseError(f"A score is {value}, which is no grade. Grade that submission again.")
    return f"{round(value, 4):.12g}"
