"""The directive {quiz}: a question, its answers, and what to say about each. It needs no JavaScript.

    ```{quiz}
    :answer: 2
    :name: quiz-nucleus

    The best token has probability 0.95, and $p = 0.9$. How many tokens does top-p keep?

    - Two

      The second would be kept only if the first did not reach $p$ alone.

    - One

      It crosses the border alone, and the token that crosses is kept.
    ```

`:answer:` has the numbers of the right answers, from 1; with several of them the reader may tick several. The last
block is the list: an answer's first paragraph is what can be chosen, what follows is its feedback. `:name:` is the
anchor for {ref}.

On a page an answer is a native radio button or checkbox, so keyboard and screen reader work as in any form; feedback
stands in a status region that the style sheet shows once the answer is chosen. On paper and in an EPUB all feedback
is shown with its mark. Question, answers and feedback are ordinary paragraphs, so they are translated like any. It
keeps no score and sends nothing; book/_static/js/progress.js may remember what was chosen.
"""

from __future__ import annotations

from html import escape
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from i18n import _
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class quiz(nodes.General, nodes.Element):
    """The whole. Attributes: `ident` (unique in the book), `number` (on the page), `several` (right answers)."""


class quiz_question(nodes.General, nodes.Element):
    """Everything above the answers. Attribute: `ident`."""


class quiz_option(nodes.General, nodes.Element):
    """One answer with its feedback. Attributes: `ident`, `group` (the quiz), `several`, `right`."""


class quiz_answer(nodes.General, nodes.TextElement):
    """The text of an answer: the label of its button. Attribute: `ident`."""


class quiz_feedback(nodes.General, nodes.Element):
    """What to say to somebody who chose this answer. Attribute: `right`."""


def problem(blocks: list[nodes.Node], right: list[int]) -> str | None:
    """What is wrong with the parsed content of a quiz, and what to do about it; None if nothing is.

    >>> problem([nodes.paragraph("", "Why?")], [1])
    'the last block must be the bullet list of answers, and there is none'
    """
    if not blocks or not isinstance(blocks[-1], nodes.bullet_list):
        return "the last block must be the bullet list of answers, and there is none"
    answers = blocks[-1].children
    if len(blocks) == 1:
        return "it has no question; write one above the list of answers"
    if len(answers) < 2:
        return f"it needs two answers or more, not {len(answers)}"
    if not right:
        return "it does not say what is right; add `:answer:` with the number of the right answer, or several"
    if max(right) > len(answers):
        return f":answer: names answer {max(right)}, but there are {len(answers)}; they are counted from 1"
    for number, item in enumerate(answers, 1):
        if not item.children or not isinstance(item[0], nodes.paragraph):
            return f"answer {number} must begin with a paragraph"
        if len(item) < 2:
            return f"answer {number} has no feedback; say below it, indented, why it is right or wrong"
    return None


class Quiz(SphinxDirective):
    has_content = True
    option_spec = {"answer": directives.positive_int_list, "name": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        parsed = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, parsed)
        blocks = [b for b in parsed.children if not isinstance(b, (nodes.comment, nodes.system_message))]
        right = sorted(set(self.options.get("answer", [])))
        if wrong := problem(blocks, right):
            raise self.error(f"quiz: {wrong}")
        number = self.env.new_serialno("quiz") + 1
        box = quiz(number=number, several=len(right) > 1)
        self.set_source_info(box)
        self.add_name(box)
        if not box["ids"]:
            box["ids"].append(nodes.make_id(f"quiz-{self.env.docname}-{number}"))
        box["ident"] = ident = box["ids"][0]
        box += quiz_question("", *blocks[:-1], ident=f"{ident}-question")
        for n, item in enumerate(blocks[-1].children, 1):
            box += option(item, f"{ident}-{n}", ident, box["several"], n in right)
        return [box]


def option(item: nodes.Element, ident: str, group: str, several: bool, right: bool) -> quiz_option:
    """One item of the list as an answer with feedback."""
    first, *rest = item.children
    label = quiz_answer(first.rawsource, "", *first.children, ident=ident)  # rawsource, source, line: for gettext
    label.source, label.line = first.source, first.line
    feedback = quiz_feedback("", *rest, right=right)
    return quiz_option("", label, feedback, ident=ident, group=group, several=several, right=right)


def heading(node: quiz) -> str:
    """What stands above a quiz."""
    text = str(_("Question {n}")).format(n=node["number"])
    return f"{text} · {_('several answers are right')}" if node["several"] else text


def mark(node: quiz_feedback) -> str:
    """The first words of a feedback: a sign and a word, never a colour alone."""
    sign, word = ("✓", _("Right.")) if node["right"] else ("✗", _("Not this one."))
    return f'<p class="quiz-mark"><span aria-hidden="true">{sign}</span> {escape(str(word))}</p>'


def on_paper(translator: Any) -> bool:
    """Whether nothing can be chosen in this format, so that the answers are shown at once."""
    return translator.builder.name == "epub"


def visit_quiz(self: Any, node: quiz) -> None:
    if on_paper(self):
        self.body.append(self.starttag(node, "div", CLASS="quiz"))
        self.body.append(f'<p class="quiz-title">{escape(heading(node))}</p>')
        return
    self.body.append(self.starttag(node, "fieldset", CLASS="quiz", **{"aria-describedby": f"{node['ident']}-question"}))
    self.body.append(f"<legend>{escape(heading(node))}</legend>")


def depart_quiz(self: Any, node: quiz) -> None:
    self.body.append("</div>\n" if on_paper(self) else "</fieldset>\n")


def visit_question(self: Any, node: quiz_question) -> None:
    self.body.append(f'<div class="quiz-question" id="{node["ident"]}">')


def visit_option(self: Any, node: quiz_option) -> None:
    self.body.append(f'<div class="quiz-option {"quiz-right" if node["right"] else "quiz-wrong"}">')
    if not on_paper(self):
        kind = "checkbox" if node["several"] else "radio"
        self.body.append(f'<input type="{kind}" name="{node["group"]}" id="{node["ident"]}" autocomplete="off">')


def visit_answer(self: Any, node: quiz_answer) -> None:
    self.body.append('<p class="quiz-answer">' if on_paper(self) else f'<label for="{node["ident"]}">')


def depart_answer(self: Any, node: quiz_answer) -> None:
    self.body.append("</p>" if on_paper(self) else "</label>")


def visit_feedback(self: Any, node: quiz_feedback) -> None:
    role = "" if on_paper(self) else ' role="status"'
    self.body.append(f'<div class="quiz-feedback"{role}>{mark(node)}')


def close(self: Any, node: nodes.Node) -> None:
    self.body.append("</div>\n")


def nothing(self: Any, node: nodes.Node) -> None:
    """Other builders print the text alone."""


def setup(app: Sphinx) -> dict[str, bool | str]:
    app.add_directive("quiz", Quiz)
    for kind, html in (
        (quiz, (visit_quiz, depart_quiz)),
        (quiz_question, (visit_question, close)),
        (quiz_option, (visit_option, close)),
        (quiz_answer, (visit_answer, depart_answer)),
        (quiz_feedback, (visit_feedback, close)),
    ):
        plain = (nothing, nothing)
        app.add_node(kind, html=html, latex=plain, text=plain, man=plain, texinfo=plain)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
