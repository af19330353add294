"""A verdict as a person reads it: plain text, and an HTML table with every value escaped. No score is
decided here.
"""

from __future__ import annotations

from html import escape
from typing import Any

LONGEST = 2_000


def points(value: float) -> str:
    """Points without needless decimals.

    >>> points(2.0), points(1.25)
    ('2', '1.25')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")


def cut(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + " [cut here]"


def failures(verdict: dict[str, Any]) -> list[dict[str, Any]]:
    """The groups that lost points, those with the same message only once."""
    seen, found = set(), []
    for group in verdict.get("groups", []):
        message = group.get("message")
        if message and message not in seen:
            seen.add(message)
            found.append(group)
    return found


def as_text(verdict: dict[str, Any]) -> str:
    """The verdict in lines: points, each group, each failure with input, expected and got, the section to
    read.
    """
    lines = [f"{verdict['title']}: {points(verdict['points'])} of {points(verdict['max'])} points"]
    if not failures(verdict) and verdict["message"]:
        lines.append(cut(verdict["message"]))
    for group in verdict.get("groups", []):
        lines.append(f"  {points(group['earned'])}/{points(group['points'])}  {group['name']}")
    for group in failures(verdict):
        lines += ["", f"{group['name']}: {cut(group['message'])}"]
        lines += [f"  {label:<9} {cut(group[key])}" for key, label in DETAILS if group.get(key)]
    if verdict["points"] < verdict["max"] and verdict.get("read"):
        lines += ["", f"Read: {verdict['read']}"]
    return "\n".join(lines)


DETAILS = (("show", "called"), ("expected", "expected"), ("got", "got"), ("printed", "printed"))


def as_html(verdict: dict[str, Any], book: str = "") -> str:
    """The same as HTML. `book` is the address of the book, put before the section's path."""
    full = verdict["points"] >= verdict["max"]
    state = "full" if full else "none" if not verdict["points"] else "part"
    out = [
        f'<div class="llmlab-verdict llmlab-{state}">',
        (
            f'<p class="llmlab-head"><b>{points(verdict["points"])} / {points(verdict["max"])}</b> '
            f"<span>{escape(str(verdict['title']))}</span></p>"
        ),
    ]
    if not failures(verdict) and verdict["message"]:
        out.append(f'<p class="llmlab-message">{escape(cut(verdict["message"]))}</p>')
    if verdict.get("groups"):
        out.append(
            '<table class="table table-condensed llmlab-groups"><thead><tr><th>group</th><th>points</th>'
            "<th>cases passed</th></tr></thead><tbody>"
        )
        for group in verdict["groups"]:
            mark = "llmlab-ok" if group["passed"] == group["cases"] else "llmlab-bad"
            out.append(
                f'<tr class="{mark}"><td>{escape(group["name"])}</td>'
                f"<td>{points(group['earned'])} / {points(group['points'])}</td>"
                f"<td>{group['passed']} / {group['cases']}</td></tr>"
            )
        out.append("</tbody></table>")
    for group in failures(verdict):
        out.append(
            f'<div class="llmlab-failure"><p class="llmlab-message"><b>{escape(group["name"])}.</b> '
            f'{escape(cut(group["message"]))}</p><table class="llmlab-details"><tbody>'
        )
        out += [
            f"<tr><th>{label}</th><td><code>{escape(cut(group[key]))}</code></td></tr>"
            for key, label in DETAILS
            if group.get(key)
        ]
        out.append("</tbody></table></div>")
    if not full and verdict.get("read"):
        read = escape(str(verdict["read"]), quote=True)
        address = escape(book, quote=True) + read
        out.append(f'<p class="llmlab-read">Read <a href="{address}" rel="noopener">{read}</a></p>')
    return "\n".join([*out, "</div>"])
