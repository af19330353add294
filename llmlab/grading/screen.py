"""Examines the outputs of a student's cells before anybody sees them: what is not known to be harmless is
left out.

Kept are text without control characters, PNG pictures of bounded size (only the chunks that make the
picture), HTML of the allow-list (`sanitise.clean`) and TeX source. Everything is bounded for each cell and
for the whole notebook.
"""

from __future__ import annotations

import binascii
import re
import struct
import sys
import zlib
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_output

from llmlab._finder import PACKAGE
from llmlab.grading import sanitise

TEXT = 20_000
HTML = 100_000
IMAGE = 2**20
SIDE, PIXELS = 8_000, 12_000_000
OUTPUTS = 22  # 20, and what says that there were more, and the error at the end
TOTAL, ALL_PIXELS = 8 * 2**20, 100_000_000
CUT = "\n[cut here]"
NOTE = {"llmlab": "note"}
"""The metadata of our own remarks; a student's output never has it."""

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,1000}(?:\x07|\x1b\\)|[@-_])")
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]"
)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"pHYs")
_PATHS = [(sys.prefix + "/", ".../"), (str(PACKAGE.parent) + "/", "")]


def note(text: str) -> dict[str, Any]:
    """A remark of the grader's in the place of an output."""
    return new_output("display_data", {"text/plain": text}, metadata=dict(NOTE))


def text(value: Any, most: int = TEXT) -> str:
    """A text without escape sequences, control characters and this machine's paths; "" for anything else.

    >>> text("\\x1b[31mred\\x1b[0m\\x07"), text("10%\\r20%")
    ('red', '20%')
    """
    if not isinstance(value, str):
        return ""
    short = value[:most] + (CUT if len(value) > most and not value.endswith(CUT) else "")
    short = _ANSI.sub("", short.encode("utf-8", "replace").decode()).replace("\r\n", "\n")
    if "\r" in short:  # a progress bar writes over its line
        short = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in short.split("\n"))
    for path, name in _PATHS:
        short = short.replace(path, name)
    return _CONTROL.sub("", short)


def png(raw: Any) -> bytes | None:
    """The picture with nothing but its picture in it; None if it is no PNG, damaged, too large or too wide.

    Nothing is decoded: size and chunks are read, so a picture that would fill the memory does not.
    """
    if not isinstance(raw, bytes) or len(raw) > IMAGE or not raw.startswith(_SIGNATURE):
        return None
    out, at, seen = [_SIGNATURE], len(_SIGNATURE), []
    while at + 12 <= len(raw):
        size = struct.unpack_from(">I", raw, at)[0]
        kind, body = raw[at + 4 : at + 8], raw[at + 8 : at + 8 + size]
        end = at + 12 + size
        if end > len(raw) or zlib.crc32(raw[at + 4 : end - 4]) != struct.unpack_from(">I", raw, end - 4)[0]:
            return None
        if kind in _CHUNKS:
            out.append(raw[at:end])
            seen.append(kind)
        elif not kind[0] & 0x20:  # a chunk that a reader must understand, and is not one of a picture
            return None
        at = end
        if kind == b"IHDR" and not (size == 13 and len(seen) == 1 and _fits(body)):
            return None
        if kind == b"IEND":
            break
    whole = seen[:1] == [b"IHDR"] and seen[-1:] == [b"IEND"] and b"IDAT" in seen and seen.count(b"IHDR") == 1
    return b"".join(out) if whole else None


def _fits(head: bytes) -> bool:
    wide, high = struct.unpack_from(">II", head)
    return 0 < wide <= SIDE and 0 < high <= SIDE and wide * high <= PIXELS


def pixels(raw: bytes) -> int:
    """Width times height of a picture that `png` let through."""
    wide, high = struct.unpack_from(">II", raw, 16)
    return wide * high


class Screen:
    """Examines one notebook's outputs, cell after cell, and counts what they take together."""

    def __init__(self) -> None:
        self.left, self.pixels = TOTAL, ALL_PIXELS

    def outputs(self, found: Any) -> list[dict[str, Any]]:
        """The outputs of one cell that may be shown."""
        if not isinstance(found, list):
            return [note("The outputs of this cell cannot be read.")]
        kept: list[dict[str, Any]] = []
        streams = {"stdout": TEXT, "stderr": TEXT}
        for one in found[:OUTPUTS]:
            made = self.output(one, streams) if isinstance(one, dict) else None
            if made is not None:
                kept.append(made)
        if len(found) > OUTPUTS:
            kept.append(note(f"{len(found) - OUTPUTS} more outputs are not shown."))
        return kept

    def output(self, one: dict[str, Any], streams: dict[str, int]) -> dict[str, Any] | None:
        """One output, made anew from what is allowed in it; None if nothing is."""
        kind = one.get("output_type")
        if kind == "stream" and one.get("name") in ("stdout", "stderr"):
            shown = text(one.get("text"), max(0, streams[one["name"]]) + len(CUT))
            streams[one["name"]] -= len(shown)
            return (
                new_output("stream", name=one["name"], text=shown)
                if shown and self.room(len(shown))
                else None
            )
        if kind == "error":
            given = one.get("traceback")
            lines = [text(line, 2_000) for line in given[:50]] if isinstance(given, list) else []
            name, said = text(one.get("ename"), 200), text(one.get("evalue"), 2_000)
            if not self.room(sum(map(len, lines)) + len(said)):
                return None
            return new_output("error", ename=name, evalue=said, traceback=lines)
        if kind in ("display_data", "execute_result") and isinstance(one.get("data"), dict):
            data, metadata = self.data(one["data"], one.get("alt"))
            if not data:
                return None
            more = {"execution_count": None} if kind == "execute_result" else {}
            return new_output(kind, data, metadata=metadata, **more)
        return None

    def data(self, given: dict[Any, Any], alt: Any) -> tuple[dict[str, str], dict[str, Any]]:
        """What of a displayed object may be shown, by its kind; and the words for its picture."""
        data: dict[str, str] = {}
        metadata: dict[str, Any] = {}
        if shown := text(given.get("text/plain")):
            data["text/plain"] = shown
        html = given.get("text/html")
        if (
            isinstance(html, str)
            and len(html) <= HTML
            and (clean := sanitise.clean(text(html, HTML))).strip()
        ):
            data["text/html"] = clean
        if shown := sanitise.tex(text(given.get("text/latex"))):
            data["text/latex"] = shown
        if given.get("image/png") is not None:
            picture = png(given["image/png"])
            if picture is not None and pixels(picture) <= self.pixels and self.room(len(picture)):
                self.pixels -= pixels(picture)
                data["image/png"] = binascii.b2a_base64(picture, newline=False).decode()
                if words := text(alt, 1_000):
                    metadata = {"image/png": {"alt": words}}
            else:
                data.setdefault("text/plain", "")
                data["text/plain"] += "\n[a picture that is too large, or no PNG, is not shown]"
        others = sum(len(value) for name, value in data.items() if name != "image/png")
        return (data, metadata) if self.room(others) else ({}, {})

    def room(self, size: int) -> bool:
        """True if the notebook's share is not used up; counts the size."""
        if size > self.left:
            return False
        self.left -= size
        return True


def is_test(cell: Any) -> bool:
    """True for an autograded test cell: it holds a verdict, and is never run for display."""
    told = cell["metadata"].get("nbgrader") or {}
    return bool(told.get("grade")) and not told.get("solution")


def apply(notebook: Any, outputs: Any) -> None:
    """Put the outputs of a ledger's record into the notebook's code cells, tests excepted."""
    if not isinstance(outputs, dict):
        return
    for cell in notebook["cells"]:
        found = outputs.get(cell.get("id"))
        if cell["cell_type"] == "code" and not is_test(cell) and isinstance(found, list):
            cell["outputs"] = [node for one in found if (node := _node(one)) is not None]


def _node(one: Any) -> NotebookNode | None:
    """An output as a notebook holds it; None for what no notebook could hold (a ledger edited by hand)."""
    if not isinstance(one, dict):
        return None
    node = nbformat.from_dict(one)
    return node if nbformat.validator.isvalid(node, ref="output", version=4, version_minor=5) else None
