r"""Short formulas as MathML, which browsers show without a script.

It knows what a lab's text uses: letters, numbers, operators, Greek, sub- and superscripts, \frac, \sqrt,
\text, sums and functions. A formula with anything else stays as its TeX source. All that is written is escaped
text between a few tags of our own.

>>> to_mathml("p_i")
'<math><msub><mi>p</mi><mi>i</mi></msub></math>'
>>> to_mathml(r"\href{javascript:alert(1)}{x}") is None
True
"""

from __future__ import annotations

import re
from html import escape

LONGEST, DEEPEST = 400, 8
_GREEK = """alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ
mu μ nu ν xi ξ pi π rho ρ sigma σ tau τ phi φ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ
Xi Ξ Pi Π Sigma Σ Phi Φ Psi Ψ Omega Ω ell ℓ infty ∞ partial ∂ nabla ∇ emptyset ∅ hbar ℏ"""
_SIGNS = r"""le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq ≠ approx ≈ sim ∼ propto ∝ equiv ≡ ll ≪ gg ≫ in ∈ notin ∉ subset ⊂
subseteq ⊆ cup ∪ cap ∩ times × cdot ⋅ div ÷ pm ± to → rightarrow → leftarrow ← mapsto ↦ Rightarrow ⇒ iff ⇔
ldots … dots … cdots ⋯ mid | vert | lvert | rvert | Vert ‖ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ langle ⟨ rangle ⟩
forall ∀ exists ∃ neg ¬ land ∧ lor ∨ odot ⊙ oplus ⊕ otimes ⊗ prime ′ star ⋆ circ ∘ { { } } % %
# # & & $ $ _ _"""
_LARGE = {"sum": "∑", "prod": "∏", "int": "∫", "max": "max", "min": "min", "lim": "lim", "arg": "arg"}
_WORDS = ("log", "ln", "exp", "sin", "cos", "tan", "tanh", "softmax", "argmax", "argmin", "Pr", "det", "dim")
_SPACES = {
    ",": "0.17em",
    ":": "0.22em",
    ";": "0.28em",
    " ": "0.25em",
    "quad": "1em",
    "qquad": "2em",
    "!": "0",
}
_BRACED = re.compile(r"\\[a-z]+\{[^{}]*\}|\\[a-zA-Z]+")
_PROSE = re.compile(r"[a-zA-Z]{4}|[a-zA-Z]\s+[a-zA-Z]{2}")
"""Words: `$5 for $6` is no formula."""
_ACCENTS = {"hat": "^", "bar": "‾", "tilde": "~"}
_TOKEN = re.compile(r"\\([a-zA-Z]+|.)|(\d+(?:[.,]\d+)?)|([a-zA-Z])|([{}_^])|(\s+)|(.)", re.S)


def _pairs(text: str) -> dict[str, str]:
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


GREEK, SIGNS = _pairs(_GREEK), _pairs(_SIGNS)


class _Unknown(ValueError):
    """The formula holds something that is not known here."""


class _Reader:
    def __init__(self, source: str):
        self.tokens = [found.groups() for found in _TOKEN.finditer(source)]
        self.at = self.depth = 0

    def peek(self) -> tuple:
        return self.tokens[self.at] if self.at < len(self.tokens) else (None,) * 6

    def row(self, closing: bool = False) -> str:
        """Everything up to the closing brace, or the end."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise _Unknown("nested too deep")
        out = []
        while self.at < len(self.tokens):
            if self.peek()[3] == "}":
                if not closing:
                    raise _Unknown("}")
                self.at += 1
                self.depth -= 1
                return _one(out)
            if self.peek()[4] is not None:
                self.at += 1
            else:
                out.append(self.scripted())
        if closing:
            raise _Unknown("a brace is not closed")
        self.depth -= 1
        return _one(out)

    def scripted(self) -> str:
        """One thing with its sub- and superscript."""
        large = self.peek()[0] in ("sum", "prod", "max", "min", "lim")
        base, found = self.atom(), {}
        if not base and self.peek()[3] in ("_", "^"):
            raise _Unknown("a script without a base")
        while self.peek()[3] in ("_", "^"):
            sign = self.peek()[3]
            self.at += 1
            if sign in found:
                raise _Unknown(sign)
            found[sign] = self.argument()
        low, high = found.get("_"), found.get("^")
        kind = "under" if large else "sub"
        if low and high:
            kind = "underover" if large else "subsup"
            return f"<m{kind}>{base}{low}{high}</m{kind}>"
        if low:
            return f"<m{kind}>{base}{low}</m{kind}>"
        kind = "over" if large else "sup"
        return f"<m{kind}>{base}{high}</m{kind}>" if high else base

    def argument(self) -> str:
        while self.peek()[4] is not None:
            self.at += 1
        if self.peek()[3] == "{":
            self.at += 1
            return self.row(closing=True)
        found = self.atom()
        if not found:
            raise _Unknown("an argument is missing")
        return found

    def atom(self) -> str:
        command, number, letter, mark, _, sign = self.peek()
        self.at += 1
        if command is not None:
            return self.command(command)
        if number is not None:
            return f"<mn>{escape(number)}</mn>"
        if letter is not None:
            return f"<mi>{letter}</mi>"
        if mark == "{":
            return self.row(closing=True)
        if mark is None and sign is not None and sign.isprintable():
            return f"<mo>{escape({'-': '−', '*': '∗', chr(39): '′'}.get(sign, sign))}</mo>"
        raise _Unknown(str(mark))

    def command(self, name: str) -> str:
        if name in GREEK:
            return f"<mi>{GREEK[name]}</mi>"
        if name in _LARGE:
            tag = "mo" if len(_LARGE[name]) == 1 else "mi"
            return f"<{tag}>{_LARGE[name]}</{tag}>"
        if name in _WORDS:
            word, apart = f"<mi>{name}</mi>", self.peek()[3] is None and self.peek()[5] not in ("(", "[")
            return f'<mrow>{word}<mspace width="0.17em"></mspace></mrow>' if apart else word
        if name in SIGNS:
            return f"<mo>{escape(SIGNS[name])}</mo>"
        if name in _SPACES:
            return f'<mspace width="{_SPACES[name]}"></mspace>'
        if name in ("left", "right", "displaystyle", "textstyle"):
            return ""
        if name in ("frac", "tfrac", "dfrac"):
            return f"<mfrac>{self.argument()}{self.argument()}</mfrac>"
        if name == "sqrt":
            return f"<msqrt>{self.argument()}</msqrt>"
        if name in _ACCENTS:
            return f"<mover>{self.argument()}<mo>{_ACCENTS[name]}</mo></mover>"
        if name in ("text", "mathrm", "operatorname", "mathit", "mathbf", "mathbb", "mathcal"):
            return self.words(name)
        raise _Unknown(name)

    def words(self, name: str) -> str:
        """The text of the following braces, as it is."""
        if self.peek()[3] != "{":
            raise _Unknown(name)
        self.at += 1
        out = ""
        while self.peek()[3] != "}":
            if self.at >= len(self.tokens) or self.peek()[0] is not None or self.peek()[3] == "{":
                raise _Unknown(name)
            out += next(part for part in self.peek() if part is not None)
            self.at += 1
        self.at += 1
        tag = "mtext" if name == "text" else "mi"
        return f"<{tag}>{escape(out)}</{tag}>"


def _one(parts: list[str]) -> str:
    text = "".join(parts)
    return text if len(parts) == 1 else f"<mrow>{text}</mrow>"


def to_mathml(source: str, block: bool = False) -> str | None:
    """The formula as a `<math>` element; None if it holds anything that is not known here."""
    if (
        len(source) > LONGEST
        or source != source.strip()
        and not block
        or _PROSE.search(_BRACED.sub("", source))
    ):
        return None
    try:
        inner = _Reader(source.strip()).row()
    except _Unknown:
        return None
    return f'<math display="block">{inner}</math>' if block else f"<math>{inner}</math>"
