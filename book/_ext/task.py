"""The directive {task}: what a check asks of one function, told by the check itself.

    ```{task} decoding.top_p
    ```

renders the task's title, its groups of cases with their points, and the command that runs it. The check's own `read` link must
lead back to this page and to a label on it; otherwise the build warns. So every check knows its section and every
section its check.
"""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from i18n import _
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def describe(task_id: str) -> tuple[str, list[str]]:
    """Title and one line for each group. Raises UnknownName, which lists what there is.

    >>> describe("decoding.top_p")[0].startswith("keep the smallest set")
    True
    """
    from llmlab.checks import registry  # here: it loads torch, and a build may have no page to read

    task = registry.tasks(task_id)[0]
    worth = {True: _("{group} ({points} point)"), False: _("{group} ({points} points)")}
    groups = [worth[points == 1].format(group=_(name), points=f"{points:g}") for name, points in task.groups.items()]
    return _(task.title), groups


class TaskBox(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        from llmlab.checks import registry

        task_id = self.arguments[0]
        try:
            task = registry.tasks(task_id)[0]
            title, groups = describe(task_id)
        except registry.UnknownName as error:
            raise self.error(f"task: {error}") from None
        page, _hash, label = task.read.partition("#")
        if f"book/{page.removesuffix('.html')}" != self.env.docname:
            raise self.error(f"task: the check of {task_id} sends readers to {task.read}, not to {self.env.docname}")
        source = Path(self.env.doc2path(self.env.docname)).read_text(encoding="utf-8")
        if f"({label})=" not in source:
            raise self.error(f"task: the check of {task_id} sends readers to #{label}, a label this page does not have")
        box = nodes.admonition(classes=["task"])
        heading = nodes.title("", "", translatable=False)  # it is put together from translated words here
        heading += [nodes.Text(_("Your function:") + " "), nodes.literal("", task.function)]
        body = nodes.paragraph("", _("{task}.").format(task=title[0].upper() + title[1:]))
        listed = nodes.bullet_list()
        for group in groups:
            listed += nodes.list_item("", nodes.paragraph("", group))
        before, _command, after = _("Check it with {command}.").partition("{command}")
        command = nodes.paragraph()
        command += [nodes.Text(before), nodes.literal("", f"llmlab check {task_id}"), nodes.Text(after)]
        box += [heading, body, listed, command]
        return [box]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("task", TaskBox)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
