"""A plain docstring as reStructuredText that shows the same words.

Our docstrings (docs/architecture.md, CONTRIBUTING.md) are plain text: paragraphs; examples that begin with >>>; lists
whose items begin with "- "; indented code; `names` between single backticks, *stressed* words between stars; and a
paragraph that says what goes in and comes out:

    logits: (..., V) float; k: int >= 1. Returns (..., V), same dtype. Raises ValueError, naming k, below 1.
    Source: Fan et al. 2018, section 5.4.

That last kind becomes a list of terms. Everything that reStructuredText would take for markup is escaped. Nothing is
left out and nothing is added but the term "Arguments"; tests/book holds every docstring against its page.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator

INDENT = "   "
QUOTED = re.compile(r"(``.+?``|`[^`]+`|(?<![\w*])\*[A-Za-z][\w -]*\*(?![\w*]))", re.S)
NAME = re.compile(r"[A-Za-z_][\w.]*")
SPECIAL = re.compile(r"([\\*_|`])")
TERMS = {"Returns": "Returns", "Raises": "Raises", "Source:": "Source", "Sources:": "Sources", "Source": "Source"}
TERM = re.compile(r"(?:^|(?<=[.;)\]`\"?]) )(?=(?:Returns|Raises|Sources?:) )")
HEAD = r"(?:\*{0,2}[A-Za-z_]\w*)(?:(?:, | and )\*{0,2}[A-Za-z_]\w*)*"
Chunk = tuple[str, list[str]]


def inline(text: str) -> str:
    """Text with its quoted names and *stressed* words, everything else escaped.

    >>> print(inline("2*n_k, a *block*, see `top_k` and `a * b`"))
    2\\*n\\_k, a *block*, see :py:obj:`top_k` and ``a * b``
    """
    made = []
    for piece in QUOTED.split(text):
        if QUOTED.fullmatch(piece) and piece.startswith("*"):
            made.append(piece)
        elif QUOTED.fullmatch(piece):
            name = " ".join(piece.strip("`").split())
            made.append(f":py:obj:`{name}`" if NAME.fullmatch(name) else f"``{name}``")
        else:
            made.append(SPECIAL.sub(r"\\\1", piece))
    return "".join(apart(made))


def apart(pieces: list[str]) -> Iterator[str]:
    """Marked pieces need a border of space or punctuation; an escaped blank is one that nobody sees."""
    for before, piece, after in zip(["", *pieces], pieces, [*pieces[1:], ""], strict=False):
        marked = piece.startswith((":py:obj:`", "``", "*"))
        left = "\\ " if marked and before and (before[-1].isalnum() or before[-1] in "=/.") else ""
        right = "\\ " if marked and after and after[0].isalnum() else ""
        yield left + piece + right


def chunks(lines: Collection[str]) -> Iterator[Chunk]:
    """(kind, lines) of a docstring: "example", "list", "code" or "text".

    >>> [kind for kind, _ in chunks(["A sum.", "", "x: a number.", ">>> 1", "1", "", "- a", "- b", "", "    code"])]
    ['text', 'text', 'example', 'list', 'code']
    """
    block: list[str] = []
    for line in [*lines, ""]:
        starts = line.lstrip().startswith(">>>") and block and not _example(block)
        deeper = (
            block
            and not _example(block)
            and not _item(block[0])
            and line.startswith("  ")
            and not block[0].startswith(" ")
        )
        item = block and line.startswith("- ") and not _example(block) and not _item(block[0])
        if not line.strip() or starts or deeper or item:
            if block:
                yield _kind(block), block
            block = []
        if line.strip():
            block.append(line)


def _example(block: list[str]) -> bool:
    return block[0].lstrip().startswith(">>>")


def _item(line: str) -> bool:
    return line.startswith(("- ", "* "))


def _kind(block: list[str]) -> str:
    return (
        "example" if _example(block) else "list" if _item(block[0]) else "code" if block[0].startswith("  ") else "text"
    )


def language(code: str) -> str:
    """The language of indented lines: Python if they are that, else plain text.

    >>> language("f(1)"), language("layers, hidden    L layers of width D")
    ('python', 'text')
    """
    try:
        ast.parse(code)
    except SyntaxError:
        return "text"
    return "python"


def arguments(text: str, parameters: Collection[str]) -> bool:
    """Whether a text begins with the name of a parameter and a colon.

    >>> arguments("logits: (..., V) float", {"logits", "k"}), arguments("Shapes: (..., V)", {"logits"})
    (True, False)
    """
    match = re.match(f"({HEAD}): ", text)
    return bool(match) and all(name.strip("*") in parameters for name in re.split(", | and ", match[1]))


def terms(text: str, parameters: Collection[str]) -> list[tuple[str, str]]:
    """A paragraph of the last kind as (term, what is said of it); an empty list if it is another kind.

    >>> terms("x: a number. Returns one more. Source: me.", {"x"})
    [('Arguments', '``x``: a number.'), ('Returns', 'one more.'), ('Source', 'me.')]
    """
    if not (arguments(text, parameters) or re.match(r"(Returns|Raises|Sources?:) ", text)):
        return []
    made = []
    for part in filter(None, (part.strip() for part in TERM.split(text))):
        word = part.split(" ", 1)[0]
        if word in TERMS:
            made.append((TERMS[word], inline(part.split(" ", 1)[1])))
        else:
            made.append(("Arguments", named(part, parameters)))
    return made


def parted(found: Iterable[Chunk], parameters: Collection[str]) -> Iterator[Chunk]:
    """The chunks, with a text cut where one of its lines begins to say what goes in and comes out.

    >>> [block for _, block in parted([("text", ["A sum of two.", "x, y: numbers.", "Raises nothing."])], {"x", "y"})]
    [['A sum of two.'], ['x, y: numbers.', 'Raises nothing.']]
    """
    for kind, block in found:
        cut = next(
            (
                i
                for i in range(1, len(block))
                if kind == "text" and block[i - 1].rstrip().endswith(".") and terms(block[i], parameters)
            ),
            len(block),
        )
        yield kind, block[:cut]
        if block[cut:]:
            yield kind, block[cut:]


def named(text: str, parameters: Collection[str]) -> str:
    """Arguments with their names as code.

    >>> named("x: a; y, z: two others, x: no name", {"x", "y", "z"})
    '``x``: a; ``y``, ``z``: two others, x: no name'
    """
    made = []
    for part in re.split(r"(?<=[;.]) ", text):
        match = re.match(f"({HEAD})(: )", part)
        if match and arguments(part, parameters):
            names = re.sub(r"\*{0,2}[A-Za-z_]\w*(?=, | and |$)", lambda name: f"``{name[0]}``", match[1])
            made.append(names.replace("``and``", "and") + ": " + inline(part[match.end() :]))
        else:
            made.append(inline(part))
    return " ".join(made)


def as_rst(lines: Collection[str], parameters: Collection[str] = ()) -> list[str]:
    """The docstring as reStructuredText; `parameters`: names of the function's arguments."""
    made: list[str] = []
    open_terms = False
    for kind, block in parted(chunks(lines), parameters):
        text = " ".join(line.strip() for line in block)
        found = terms(text, parameters) if kind == "text" else []
        if found:
            if not open_terms:
                made += [".. container:: api-terms", ""]
            for term, said in found:
                made += [INDENT + term, INDENT * 2 + said]
            open_terms = True
            continue
        if open_terms:
            made.append("")
            open_terms = False
        if kind == "example":
            edge = len(block[0]) - len(block[0].lstrip())
            made += [*(line[edge:] for line in block), ""]
        elif kind == "code":
            edge = min(len(line) - len(line.lstrip()) for line in block)
            code = [line[edge:] for line in block]
            made += [f".. code-block:: {language(chr(10).join(code))}", "", *(INDENT + line for line in code), ""]
        elif kind == "list":
            items = re.split(r"\n(?=[-*] )", "\n".join(block))
            made += [*("- " + inline(" ".join(item[2:].split())) for item in items), ""]
        else:
            made += [inline(text), ""]
    return [*made, ""]
