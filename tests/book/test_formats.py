"""The EPUB and the PDF of a small book, and the faults that their checks must notice."""

from __future__ import annotations

import doctest
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pypdf import PdfReader

from tests.book import planted
from tools.book import browser, downloads, pdf
from tools.book.epub_check import problems
from tools.book.variant import Variant

INTRO = """# A small book

It costs $O(n^2)$, and

$$
a = \\frac{b}{c}
$$ (eq-cost)

so {eq}`eq-cost` holds. <br> See {ref}`sec-next`, & go on.

```{figure} dot.png
:alt: A single red dot on white.
A dot.
```
"""
NEXT = """(sec-next)=
# The next chapter

```{reveal} Which is larger?
The second.
```

<button type="button" class="fig-set" data-fig="x" data-set="k=1">set it</button>
<script>let hidden = 1 && 2 < 3;</script>
"""
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef"
    "0000000049454e44ae426082"
)


@pytest.fixture(scope="module", autouse=True)
def chromium() -> None:
    if browser.executable() is None:
        pytest.skip("no Chromium to set formulas and print with: install chromium (Debian: apt-get install chromium)")


def test_a_book_in_every_format(mini_book: Callable[..., tuple[Path, Callable[..., tuple[int, str]]]]) -> None:
    toc = "format: jb-book\nroot: book/intro\nchapters:\n- file: book/next\n"
    files = {"_toc.yml": toc, "book/intro.md": INTRO, "book/next.md": NEXT, "solutions/decoding.py": ""}
    root, build = mini_book(files)
    (root / "book" / "dot.png").write_bytes(DOT)
    status, text = build(formats=("html", "epub", "pdf"))
    assert status == 0, text
    made = downloads.folder(Variant(root))

    epub = made / "llmlab.epub"
    assert problems(epub) == []
    with zipfile.ZipFile(epub) as file:
        pages = {name: file.read(name).decode() for name in file.namelist() if name.endswith(".xhtml")}
    first, second = pages["book/intro.xhtml"], pages["book/next.xhtml"]
    formulas = ElementTree.fromstring(first).findall(".//{http://www.w3.org/1998/Math/MathML}math")
    assert [one.get("alttext") for one in formulas] == ["O(n^2)", "a = \\frac{b}{c}"]
    assert "<mfrac>" in first.replace("\n", "") and "(1)" in first
    assert "The second." in second and "set it" in second and "hidden" not in second

    reader = PdfReader(made / "llmlab.pdf")
    text = "\n".join(page.extract_text() for page in reader.pages)
    assert len(reader.pages) >= 1 and "The second." in text and "1" in text
    assert {"A small book", "The next chapter"} <= {title.strip("# ") for title in pdf.bookmarks(reader.outline)}
    assert pdf.problems(made / "llmlab.pdf", ["A small book", "A chapter that is lost"]) == [
        "no bookmark for 'A chapter that is lost'",
        "the text of 'A chapter that is lost' cannot be found",
    ]

    page = (root / "_build/html/book/next.html").read_text(encoding="utf-8")
    assert 'href="../downloads/llmlab.epub" download>EPUB</a>' in page and 'href="../downloads/llmlab.pdf"' in page
    (made / "llmlab.pdf").unlink()
    assert downloads.link(Variant(root)) == 4 and downloads.link(Variant(root)) == 0  # both pages, index and search
    assert "llmlab.pdf" not in (root / "_build/html/book/next.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("plant", planted.EPUB, ids=lambda plant: plant.fault.replace(" ", "-"))
def test_a_planted_fault_is_found(tmp_path: Path, plant: planted.Plant) -> None:
    assert planted.epub_says(tmp_path) == ""
    assert plant.says in planted.epub_says(tmp_path, plant)


def test_the_examples_hold() -> None:
    done = doctest.testmod(pdf)
    assert done.attempted > 0 and done.failed == 0, done
