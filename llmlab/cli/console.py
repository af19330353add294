"""How the command speaks: one console for results, one line for mistakes, and nothing a terminal could obey.

Colour and marks follow the terminal: none in a pipe or with NO_COLOR, ASCII marks where the encoding has no
others.
"""

from __future__ import annotations

import os
import re
import sys

from rich.console import Console
from rich.text import Text

PIPE_WIDTH = 140
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Stop(Exception):
    """Ends the command with one clear line and an exit code: 2 for something typed wrong, 1 for a bad
    result.
    """

    def __init__(self, message: str, code: int = 2):
        super().__init__(message)
        self.code = code


def console(stderr: bool = False) -> Console:
    """A console on the present stdout or stderr. In a pipe it is 100 columns wide, unless COLUMNS says
    otherwise.
    """
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
    return Console(stderr=stderr, highlight=False, width=width)


def plain(text: str) -> str:
    """`text` without characters that steer a terminal; a student's message may hold any.

    >>> plain("a\\x1b[2Jb")
    'a?[2Jb'
    """
    return _CONTROL.sub("?", text)


def say(text: str = "", style: str = "", stderr: bool = False) -> None:
    """Print one line as it is: no markup, no wrapping, so that a path can be copied whole."""
    console(stderr).print(Text(plain(text), style=style), soft_wrap=True)


def marks(to: Console) -> dict[str, str]:
    """The signs for right, wrong, partly right and open, that the console's encoding can show."""
    fancy = {"ok": "✓", "bad": "✗", "part": "◐", "open": "·", "bar": "█", "rest": "░"}
    try:
        "".join(fancy.values()).encode(to.encoding)
    except (UnicodeEncodeError, LookupError):
        return {"ok": "+", "bad": "x", "part": "~", "open": ".", "bar": "#", "rest": "-"}
    return fancy
