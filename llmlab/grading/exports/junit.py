"""JUnit XML of a class: one test suite for each student, one test case for each graded cell.

Follows the schema of Ant's JUnit task as Jenkins, GitLab and others read it. Validated by format, not
uploaded. Nothing of a student's is markup: ElementTree escapes it, and characters that XML 1.0 does not allow
are gone before.
"""

from __future__ import annotations

from xml.etree import ElementTree as tree

from llmlab.grading.exports.cells import clean
from llmlab.grading.exports.results import Item, Result
from llmlab.grading.ledger import CRASHED, MEMORY, MISSING, TIMEOUT, UNREADABLE

ERRORS = (CRASHED, MEMORY, MISSING, TIMEOUT, UNREADABLE)
LONGEST = 2_000


def junit(lab: str, results: list[Result]) -> bytes:
    """The document. Full points: passed. Fewer: failure. A crash, time limit or lost file: error.

    A written answer that waits for a person, and everything of a student who handed in nothing: skipped.
    """
    root = tree.Element("testsuites", name=lab)
    for number, result in enumerate(results):
        root.append(_suite(lab, number, result))
    tree.indent(root, " ")
    return tree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _suite(lab: str, number: int, result: Result) -> tree.Element:
    cases = [_case(lab, item, result) for item in result.items]
    kinds = [next((child.tag for child in case), "passed") for case in cases]
    suite = tree.Element(
        "testsuite",
        {
            "package": lab,
            "id": str(number),
            "name": text(result.row.student),
            "timestamp": result.when.strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": "localhost",
            "tests": str(len(cases)),
            "failures": str(kinds.count("failure")),
            "errors": str(kinds.count("error")),
            "skipped": str(kinds.count("skipped")),
            "time": f"{sum(item.seconds for item in result.items):.3f}",
        },
    )
    properties = tree.SubElement(suite, "properties")
    told = {
        "score": f"{result.row.points:g}",
        "max_score": f"{result.row.max_points:g}",
        "status": result.row.status,
    }
    for name, value in told.items():
        tree.SubElement(properties, "property", name=name, value=text(value))
    suite.extend(cases)
    tree.SubElement(suite, "system-out").text = text(result.comment)
    tree.SubElement(suite, "system-err")
    return suite


def _case(lab: str, item: Item, result: Result) -> tree.Element:
    case = tree.Element(
        "testcase", name=text(item.title), classname=f"{lab}.{item.group}", time=f"{item.seconds:.3f}"
    )
    if item.waiting or result.row.status == MISSING:
        tree.SubElement(
            case, "skipped", message=text("a person reads it" if item.waiting else result.comment)
        )
    elif item.points < item.max_points:
        kind = "error" if item.status in ERRORS else "failure"
        earned = f"{item.points:g} of {item.max_points:g} points"
        shown = tree.SubElement(case, kind, type=text(item.status), message=earned)
        shown.text = text("\n".join(filter(None, [item.message, ", ".join(item.misconceptions)])))
    return case


def text(value: str) -> str:
    """Text that XML 1.0 can hold, of bounded length; lines stay.

    >>> text("a\\0b\\ufffe\\ud800")
    'a b  '
    """
    value = "".join(" " if c in "\ufffe\uffff" else c for c in clean(value, keep_lines=True))
    return value if len(value) <= LONGEST else value[: LONGEST - 3] + "..."
