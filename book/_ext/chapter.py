"""What every chapter gets from its front matter: the box below its title, the way into its lab, and its shape.

- Below the title stand the time, the chapters to read before, and the functions to write with the lab that tests
  them.
- The last chapter that a lab asks for ends with the way into that lab.
- A link to the next page says when it leads into another part.
- A chapter that lacks a part of the shape is a warning, so a failed build (shape.py says what the shape is).

The front matter is `llmlab: {minutes, needs, lab}`; docs/book.md explains it. The words of a chapter are its
author's; nothing here changes them. What the reader has read is not known here: book/_static/js/progress.js keeps
that in the browser.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from i18n import _
from shape import Chapter, Part, all_gaps, read
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging

from llmlab._finder import LABS

log = logging.getLogger(__name__)
SHORT = re.compile(r"[:：]")
"""What stands before it in a part's caption is the part's number."""


def page(chapter: str) -> str:
    """The document of a chapter: "part1/logits" -> "book/part1/logits"."""
    return f"book/{chapter}"


def page_link(chapter: str, here: str) -> addnodes.pending_xref:
    """A link to a chapter, with its title in the reader's language as text."""
    return addnodes.pending_xref(
        "",
        nodes.inline("", chapter),
        refdomain="std",
        reftype="doc",
        refexplicit=False,
        reftarget=f"/{page(chapter)}",
        refdoc=here,
        refwarn=True,
    )


def lab_link(lab: str, here: str) -> addnodes.pending_xref:
    """A link to a lab's entry on the course map: "lab 1"."""
    return addnodes.pending_xref(
        "",
        nodes.inline("", str(_("lab {n}")).format(n=lab.removeprefix("lab"))),
        refdomain="std",
        reftype="ref",
        refexplicit=True,
        reftarget=f"map-{lab}",
        refdoc=here,
        refwarn=True,
    )


def duration(minutes: int) -> str:
    """A time in words.

    >>> str(duration(40)), str(duration(125)), str(duration(120))
    ('40 minutes', '2 h 5 min', '2 h')
    """
    if minutes < 90:
        return str(_("{minutes} minutes")).format(minutes=minutes)
    hours, rest = divmod(minutes, 60)
    return str(_("{hours} h {minutes} min") if rest else _("{hours} h")).format(hours=hours, minutes=rest)


def joined(links: list[nodes.Node]) -> list[nodes.Node]:
    """Links with commas between."""
    return [node for link in links for node in (nodes.Text(", "), link)][1:]


def written(chapter: Chapter, here: str) -> list[nodes.Node]:
    """What a reader of this chapter writes, and which lab tests it."""
    if chapter.lab is None:
        return [nodes.Text(str(_("nothing that is tested")))]
    lab = lab_link(chapter.lab, here)
    if not chapter.tasks:
        return [nodes.Text(str(_("nothing yet; the chapter belongs to")) + " "), lab]
    count = len(chapter.tasks)
    what = str(_("1 function") if count == 1 else _("{n} functions")).format(n=count)
    ahead, _lab, after = str(_("{functions}, tested in {lab}")).replace("{functions}", what).partition("{lab}")
    return [nodes.Text(ahead), lab, nodes.Text(after)]


def head(chapter: Chapter, here: str) -> nodes.bullet_list:
    """The box below the title."""
    before = joined([page_link(name, here) for name in chapter.needs])
    rows: list[tuple[str, list[nodes.Node]]] = [
        (str(_("Time")), [nodes.Text(str(_("about {time}")).format(time=duration(chapter.minutes)))]),
        (str(_("Read before")), before or [nodes.Text(str(_("nothing; you can begin here")))]),
        (str(_("You write")), written(chapter, here)),
    ]
    box = nodes.bullet_list(classes=["chapter-head"])
    for name, content in rows:
        line = nodes.paragraph("", "", nodes.strong("", name), nodes.Text(" "), nodes.inline("", "", *content))
        box += nodes.list_item("", line)
    return box


def way_into(lab: str, here: str) -> nodes.admonition:
    """What stands at the end of the last chapter of a lab."""
    commands = nodes.paragraph()
    commands += [nodes.literal("", f"llmlab start my-labs {lab}"), nodes.Text(f" {_('makes its folder')}, ")]
    commands += [nodes.literal("", f"llmlab check {lab} --watch")]
    commands += [nodes.Text(f" {_('tells at every save what is right')}.")]
    covers = nodes.paragraph("", str(_("You have read all that it asks for:")) + " ")
    covers += [lab_link(lab, here), nodes.Text(".")]
    title = nodes.title("", str(_("Now lab {n}")).format(n=lab.removeprefix("lab")))
    return nodes.admonition("", title, covers, commands, classes=["chapter-lab"])


def last_of_labs(parts: list[Part]) -> dict[str, str]:
    """{chapter: lab} for the last chapter of every lab."""
    last = {c.lab: c.name for part in parts for c in part.chapters if c.lab}
    return {name: lab for lab, name in last.items()}


def frame(app: Sphinx, doctree: nodes.document) -> None:
    """Put the box below the title, and the way into the lab at the end."""
    here = app.env.docname
    chapter = app.chapters.get(here)
    top = next(iter(doctree.findall(nodes.section)), None)
    if chapter is None or not chapter.about or top is None:
        return
    top.insert(1, head(chapter, here))
    if lab := last_of_labs(app.course).get(chapter.name):
        top += way_into(lab, here)


def neighbours(app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Say in the links to the previous and the next page when they lead into another part."""
    part_of = {page(c.name): part.caption for part in app.course for c in part.chapters}
    for side, title in (("prev", "prev_title"), ("next", "next_title")):
        link = context.get(side)
        if not link or name not in part_of:
            continue
        for other, caption in part_of.items():
            if caption != part_of[name] and app.builder.get_relative_uri(name, other) == link["link"]:
                context[title] = f"{SHORT.split(str(_(caption)))[0]} · {link['title']}"


def load(app: Sphinx) -> None:
    """Read the chapters' sources, and say what they lack."""
    root = Path(app.srcdir)
    app.course = read(root) if (root / "_toc.yml").is_file() else []
    app.chapters = {page(c.name): c for part in app.course for c in part.chapters}
    for name, wrong in all_gaps(app.course, LABS).items():
        for gap in wrong:
            text = "the chapter's shape: %s (docs/book.md, “Shape of a chapter”)"
            log.warning(text, gap, location=page(name), type="shape")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", load)
    app.connect("doctree-read", frame)
    app.connect("html-page-context", neighbours)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
