"""A variant of the book (edition, language, all pages or some) and where its files are.

    _build/html                the students' book in English     _build/instructor/html   the instructors'
    _build/html/zh             the same in Chinese               _build/only/html         some pages (--only)
    _build/.doctrees-*         what Sphinx read, one folder per variant
    _build/.jupyter_cache      outputs of executed chapters, shared by all variants
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import yaml

EDITIONS = ("student", "instructor")
LANGUAGES = ("en", "zh_CN")


@dataclass(frozen=True)
class Variant:
    """One book: where the sources are, for whom, in which language, and which pages (none named: all)."""

    root: Path
    edition: str = "student"
    language: str = "en"
    only: tuple[str, ...] = ()

    @property
    def build(self) -> Path:
        return self.root / "_build"

    @property
    def name(self) -> str:
        """
        >>> Variant(Path("."), language="zh_CN").name, Variant(Path("."), "instructor", only=("book/map",)).name
        ('student-zh_CN', 'instructor-en-only')
        """
        return f"{self.edition}-{self.language}" + ("-only" if self.only else "")

    @property
    def home(self) -> Path:
        """The folder of this edition's html, epub and pdf."""
        parts = [] if self.edition == "student" else [self.edition]
        return self.build.joinpath(*parts, *(["only"] if self.only else []))

    @property
    def html(self) -> Path:
        """The folder of the pages: the first language at the top, others below it."""
        top = self.home / "html"
        return top if self.language == LANGUAGES[0] else top / self.language.partition("_")[0]

    @property
    def doctrees(self) -> Path:
        return self.build / f".doctrees-{self.name}"

    @property
    def cache(self) -> Path:
        return self.build / ".jupyter_cache"

    @property
    def toc(self) -> Path:
        """The table of contents of all pages in this language."""
        folder = self.root if self.language == LANGUAGES[0] else self.root / "book" / "_locale" / self.language
        return folder / ("_toc.yml" if self.language == LANGUAGES[0] else "toc.yml")

    @property
    def start(self) -> str:
        """The page that a reader opens first."""
        return self.only[0] if self.only else str(yaml.safe_load(self.toc.read_text(encoding="utf-8"))["root"])

    def pages(self) -> list[str]:
        """Names of the pages that this variant has, such as "book/part1/logits", sorted."""
        if self.only:
            return list(self.only)
        found = (path.relative_to(self.root) for path in (self.root / "book").rglob("*.md"))
        return sorted(p.with_suffix("").as_posix() for p in found if not any(part[0] == "_" for part in p.parts))


def languages(root: Path) -> list[str]:
    """The languages that this book has: the first, and each with a list of translated pages below book/_locale."""
    return [LANGUAGES[0], *(one for one in LANGUAGES[1:] if (root / "book" / "_locale" / one / "toc.yml").is_file())]


def with_pages(variant: Variant, names: list[str]) -> Variant:
    """The variant with these pages only. A name may leave out book/ and .md; ValueError for one that is not there."""
    known, chosen = variant.pages(), []
    for name in names:
        wanted = name.removesuffix(".md").removeprefix("./").removeprefix("book/").strip("/")
        found = [page for page in known if page == f"book/{wanted}" or page.endswith(f"/{wanted}")]
        if len(found) != 1:
            near = f"it could be {', '.join(found)}" if found else f"pages are {', '.join(known)}"
            raise ValueError(f"there is no single page {name!r}: {near}")
        chosen += found
    return replace(variant, only=tuple(dict.fromkeys(chosen)))
