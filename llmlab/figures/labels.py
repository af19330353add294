"""How a token is written on an axis: its bytes, made visible."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.ft2font import FT2Font

VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥"}
SPECIAL = "‹end›"


@functools.cache
def drawable() -> frozenset[int]:
    """The code points that the plots' font can draw."""
    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return frozenset(FT2Font(str(font)).get_charmap())


def token_label(piece: bytes) -> str:
    """A token on an axis: spaces and line ends visible, half characters as hex, a special token as ‹end›.

    A character that the font lacks is written as its code point; `$` is escaped, or it would start a formula.

    >>> token_label(b" cat"), token_label(b"\\n"), token_label(b"\\xe7"), token_label(b"")
    ('␣cat', '⏎', '\\\\xe7', '‹end›')
    """
    if not piece:
        return SPECIAL
    text = piece.decode("utf-8", "backslashreplace")
    return "".join(_character(character) for character in text)


def _character(character: str) -> str:
    if character in VISIBLE:
        return VISIBLE[character]
    if character == "$":
        return r"\$"
    if ord(character) in drawable() and character.isprintable():
        return character
    return f"U+{ord(character):04X}"


def token_labels(ids: Sequence[int], pieces: Sequence[bytes]) -> list[str]:
    """The labels of some token ids; `pieces` are the bytes of every id of the vocabulary (`lm.pieces`)."""
    return [token_label(pieces[i]) for i in ids]


def spoken(label: str) -> str:
    """A label as an alt text quotes it: the visible signs turned back into words."""
    return repr(label.replace("␣", " ").replace("⏎", "\n").replace("⇥", "\t").replace(r"\$", "$"))
