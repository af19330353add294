"""The directives {course-map} and {course-labs}: the whole course on one page, made from the chapters' front matter.

`{course-map}` draws which chapter builds on which, and lists every part's chapters with their time, what they need
and the lab that tests them. `{course-labs}` lists the labs with their modules and chapters; each has the anchor
`map-lab1` and so on. The picture says nothing that the list does not, so a screen reader gets its name alone. Both
are real lists: they read without style sheet or script.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from chapter import duration, joined, lab_link, page, page_link
from docutils import nodes
from i18n import _
from shape import Part
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from llmlab._finder import LABS

WIDTH, ROW, RAIL, BULGE = 360, 26, 92, 82
"""The picture, in units of its viewBox: width, height of a row, where the dots stand, reach of the longest arc."""
COLOURS = {1: "#0072b2", 2: "#d55e00", 3: "#009e73", 4: "#cc79a7"}
"""The parts' colours where the book's palette is not there: in an EPUB."""


class course_graph(nodes.General, nodes.Element):
    """The picture; drawn when the page is written, since only then all titles are known. Attribute: `rows`."""


class _Sections(SphinxDirective):
    def section(self, name: str) -> nodes.section:
        """An empty section with this anchor."""
        made = nodes.section(names=[name])
        self.state.document.note_explicit_target(made, made)
        return made


class CourseMap(_Sections):
    """The picture, then a section for each part."""

    def run(self) -> list[nodes.Node]:
        here, course = self.env.docname, self.env.app.course
        for chapter in (c for part in course for c in part.chapters):
            self.env.note_dependency(str(Path(self.env.srcdir) / f"{page(chapter.name)}.md"))
        rows = [(n, c.name, c.needs, c.title) for n, part in enumerate(course, 1) for c in part.chapters]
        return [course_graph(rows=rows), *(self.part(n, part, here) for n, part in enumerate(course, 1))]

    def part(self, number: int, part: Part, here: str) -> nodes.section:
        made = self.section(f"map-part{number}")
        made += nodes.title("", str(_(part.caption)))
        total = sum(c.minutes for c in part.chapters)
        sums = str(_("{n} chapters, about {time}")).format(n=len(part.chapters), time=duration(total))
        made += nodes.paragraph("", sums)
        listed = nodes.bullet_list(classes=["course-chapters"])
        for chapter in part.chapters:
            facts: list[nodes.Node] = [nodes.Text(duration(chapter.minutes))]
            if chapter.needs:
                facts += [nodes.Text(f" · {_('after')} "), *joined([page_link(name, here) for name in chapter.needs])]
            if chapter.lab:
                facts += [nodes.Text(" · "), lab_link(chapter.lab, here)]
            link = nodes.paragraph("", "", page_link(chapter.name, here), classes=["course-chapter"])
            listed += nodes.list_item("", link, nodes.paragraph("", "", *facts, classes=["course-facts"]))
        made += listed
        return made


class CourseLabs(_Sections):
    """An entry for each lab."""

    def run(self) -> list[nodes.Node]:
        here, chapters = self.env.docname, [c for part in self.env.app.course for c in part.chapters]
        made = []
        for lab, modules in LABS.items():
            box = self.section(f"map-{lab}")
            box += nodes.title("", str(_("Lab {n}")).format(n=lab.removeprefix("lab")))
            functions = sum(len(c.tasks) for c in chapters if c.lab == lab)
            line = nodes.paragraph("", str(_("{n} functions, in")).format(n=functions) + " ")
            line += joined([nodes.literal("", f"{module}.py") for module in modules])
            line += [nodes.Text(". "), nodes.literal("", f"llmlab check {lab}"), nodes.Text(".")]
            links = joined([page_link(c.name, here) for c in chapters if c.lab == lab])
            box += [line, nodes.paragraph("", "", nodes.Text(str(_("Chapters:")) + " "), *links, nodes.Text("."))]
            made.append(box)
        return made


def arc(top: float, bottom: float) -> str:
    """Path of the arc that leaves the rail at `top` and comes back to it at `bottom`, further out the longer it is.

    >>> arc(10, 36)
    'M92 10L92 36'
    """
    if bottom - top <= ROW:
        return f"M{RAIL} {top:g}L{RAIL} {bottom:g}"
    out = RAIL - min(BULGE, 14 + (bottom - top) / ROW * 5)
    return f"M{RAIL} {top:g}C{out:g} {top:g} {out:g} {bottom:g} {RAIL} {bottom:g}"


def paint(what: str, part: int) -> str:
    """Stroke or fill in the colour of a part: from the book's palette, or fixed where there is no style sheet.

    >>> paint("fill", 1)
    'fill="#0072b2" style="fill:var(--fig-1, #0072b2)"'
    """
    plain = COLOURS.get(part, "#444")
    return f'{what}="{plain}" style="{what}:var(--fig-{part}, {plain})"'


def draw(rows: list[tuple[int, str, list[str], str]]) -> str:
    """The picture as SVG: a dot and a title for each (part, chapter, what it needs, title), an arc for each need."""
    place, y, last = {}, 0.0, 0
    for part, name, _needs, _title in rows:
        y += ROW + (10 if part != last and last else 0)
        place[name], last = y - ROW / 2, part
    parts = []
    for part, name, needs, _title in rows:
        for need in filter(place.get, needs):
            path = arc(place[need], place[name])
            parts.append(f'<path d="{path}" fill="none" stroke-width="1.8" {paint("stroke", part)}/>')
    for part, name, _needs, title in rows:
        parts.append(f'<circle cx="{RAIL}" cy="{place[name]:g}" r="5" {paint("fill", part)}/>')
        parts.append(f'<text x="{RAIL + 14}" y="{place[name] + 4.5:g}" font-size="12.5">{escape(title)}</text>')
    label = _("Arcs lead from each chapter down to those that build on it. The lists below say the same in words.")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="course-graph" viewBox="0 0 {WIDTH} {y:g}" role="img" '
        f'aria-label="{escape(str(label))}">{"".join(parts)}</svg>\n'
    )


def visit_graph(self: Any, node: course_graph) -> None:
    env = self.builder.env
    rows = []
    for part, name, needs, title in node["rows"]:
        shown = env.titles.get(page(name))  # the translated one, in an edition that has the chapter
        rows.append((part, name, needs, shown.astext() if shown else title))
    self.body.append(draw(rows))


def nothing(self: Any, node: nodes.Node) -> None:
    """Nothing to close, and nothing to draw in text."""


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("chapter")
    app.add_directive("course-map", CourseMap)
    app.add_directive("course-labs", CourseLabs)
    plain = (nothing, nothing)
    app.add_node(course_graph, html=(visit_graph, nothing), latex=plain, text=plain, man=plain, texinfo=plain)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
