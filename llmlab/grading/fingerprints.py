"""Fingerprints of a module's text: which runs of code it holds, whatever their names, numbers and comments.

The text is read as tokens by one regular expression, so a file with a syntax error, or none of Python at all,
has fingerprints too. Comments, docstrings and layout are dropped; names become `n`, numbers `0`, strings `s`.
Keywords, builtins and attributes (`.softmax`) stay: a copier cannot rename those.

Runs of RUN tokens are hashed, and of each WINDOW of neighbouring hashes the smallest is kept: winnowing,
after Schleimer, Wilkerson and Aiken (2003), "Winnowing: Local Algorithms for Document Fingerprinting". Two
texts that share a run of RUN + WINDOW - 1 tokens share a fingerprint.

`copydetect` does the same for many languages and was looked at: it compares each file with each other file,
reads and writes folders, and wants numpy, Pygments, Jinja2 and tqdm. These lines need the standard library,
and an index.
"""

from __future__ import annotations

import builtins
import keyword
import re
import zlib
from typing import NamedTuple

RUN, WINDOW = 14, 4
KEPT = frozenset(keyword.kwlist) | frozenset(dir(builtins))
# A string that is never closed ends with its line or file, so that no text makes the scan go back and forth.
TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<string>[A-Za-z]{0,2}(?:\"{3}(?:\\(?:.|\Z)|[^\\])*?(?:\"{3}|\Z)|'{3}(?:\\(?:.|\Z)|[^\\])*?(?:'{3}|\Z)
        |\"(?:\\.|[^\"\\\n])*+\"?|'(?:\\.|[^'\\\n])*+'?))
    |(?P<name>[^\W\d]\w*)
    |(?P<number>\.?\d(?:[\w.]|(?<=[eE])[+-])*)
    |(?P<sign>\*\*=?|//=?|>>=?|<<=?|->|:=|[-+*/%&|^@=!<>]=|\.\.\.|\S)""",
    re.VERBOSE | re.DOTALL,
)
REST = re.compile(r"[ \t]*(?:#|\n|\Z)")
BASE, MODULUS = 1_000_003, (1 << 61) - 1


class Token(NamedTuple):
    """A token as it is compared, and the line it stands on."""

    text: str
    line: int


def tokens(source: str) -> list[Token]:
    """The tokens of a text, reduced to what a renaming keeps.

    >>> [token.text for token in tokens('x = top_p.sum(dim=3)  # all')]
    ['n', '=', 'n', '.', 'sum', '(', 'n', '=', '0', ')']
    >>> tokens("n = 1; m = 2")[-1] == tokens("n = 1; m = 9")[-1]
    True
    """
    found: list[Token] = []
    line, at, ended, before = 1, 0, 0, ""
    for match in TOKEN.finditer(source):
        line += source.count("\n", at, match.start())
        first = ended == 0 or "\n" in source[ended : match.start()]
        at, ended = match.start(), match.end()
        kind, text = match.lastgroup, match.group()
        if kind == "comment" or (kind == "string" and first and REST.match(source, ended)):
            continue  # a string with nothing else on its lines is a docstring
        if kind == "name":
            text = text if text in KEPT or before == "." else "n"
        elif kind != "sign":
            text = "0" if kind == "number" else "s"
        found.append(Token(text, line))
        before = text
    return found


def runs(found: list[Token]) -> list[int]:
    """A hash of each run of RUN tokens: the same in every process."""
    codes: dict[str, int] = {}
    numbers = [
        codes.setdefault(token.text, zlib.crc32(token.text.encode("utf-8", "replace")) + 1) for token in found
    ]
    if len(numbers) < RUN:
        return []
    top, rolled, made = pow(BASE, RUN - 1, MODULUS), 0, []
    for place, number in enumerate(numbers):
        if place >= RUN:
            rolled -= numbers[place - RUN] * top
        rolled = (rolled * BASE + number) % MODULUS
        if place >= RUN - 1:
            made.append(rolled)
    return made


def fingerprints(source: str, known: frozenset[int] = frozenset()) -> dict[int, tuple[int, int]]:
    """Fingerprint -> first and last line where it was first found; runs in `known` (the scaffold's) are left
    out."""
    found = tokens(source)
    own = [(code, place) for place, code in enumerate(runs(found)) if code not in known]
    kept: dict[int, tuple[int, int]] = {}
    for start in range(max(1, len(own) - WINDOW + 1) if own else 0):
        code, place = min(own[start : start + WINDOW])
        kept.setdefault(code, (found[place].line, found[place + RUN - 1].line))
    return kept
