"""The EPUB: what Sphinx's builder leaves is made into one that opens everywhere, and checked.

- Formulas become MathML (EPUB readers have no MathJax). MathJax itself translates them, in Chromium, without a network.
- Scripts go. A figure shows its words instead; a button in the prose stays as its text; every answer is open.
- Pages become well-formed XHTML, whatever HTML the extensions wrote.
- The package's list of files and the order of pages are written anew: Sphinx's lead nowhere when the start page is in a
  folder.

`problems` is the check: the container, the list of contents, every page, link, picture and formula.
"""

from __future__ import annotations

import json
import posixpath
import re
import tempfile
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from bs4 import BeautifulSoup, Tag

from tools.book import browser, downloads
from tools.book.epub_check import problems
from tools.book.variant import Variant

DELIMITED = re.compile(r"^\s*\\([(\[])(.*)\\[)\]]\s*$", re.S)
NAMESPACES = {"opf": "http://www.idpf.org/2007/opf"}
VIEW = re.compile(r"\b(viewbox|preserveaspectratio)=")
TYPES = {
    "xhtml": "application/xhtml+xml",
    "css": "text/css",
    "png": "image/png",
    "jpg": "image/jpeg",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
SCREEN_ONLY = ("togglebutton.css", "copybutton.css", "print.css")
CASE = {"viewbox": "viewBox", "preserveaspectratio": "preserveAspectRatio"}


class BrokenBook(RuntimeError):
    """The EPUB has faults; the text lists them."""


def formulas(page: BeautifulSoup) -> list[tuple[Tag, str, bool]]:
    """The formulas of a page: the tag that holds one, its TeX, and whether it stands alone."""
    found = []
    for tag in page.select("span.math, div.math"):
        text = "".join(tag.find_all(string=True, recursive=False))  # without the number of an equation
        if match := DELIMITED.match(text):
            found.append((tag, match[2].strip(), match[1] == "["))
    return found


def mathml(sources: list[tuple[str, bool]], mathjax: Path) -> list[str]:
    """MathML of TeX formulas (source, whether it stands alone), by MathJax in Chromium."""
    with tempfile.TemporaryDirectory() as folder, browser.browser(timeout=120) as tab:
        page = Path(folder) / "math.html"
        script = f'<script src="{(mathjax / "tex-svg.js").resolve().as_uri()}"></script>'
        page.write_text(f"<!DOCTYPE html><title>math</title>{script}", encoding="utf-8")
        tab.open(page)
        order = json.dumps(sources)
        made = tab.evaluate(
            f"Promise.all({order}.map(([tex, display]) => MathJax.tex2mmlPromise(tex, {{display}})))"
        )
    return [re.sub(r'\s(?:data-[a-z-]+|class)="[^"]*"', "", one) for one in made]


def tidy(page: BeautifulSoup) -> None:
    """Scripts out, words of the figures in, answers open."""
    for noscript in page.find_all("noscript"):
        noscript.unwrap()
    for tag in page.find_all(["script", "input", "template"]):
        tag.decompose()
    for button in page.find_all("button"):
        if "fig-set" in button.get("class", []):
            button.name, button.attrs = "span", {}
        else:
            button.decompose()
    for link in page.select("link[rel~=stylesheet]"):
        if str(link.get("href", "")).endswith(SCREEN_ONLY):
            link.decompose()
    for details in page.find_all("details"):
        details["open"] = "open"
    seen: set[str] = set()
    for tag in page.find_all(id=True):  # sphinx-exercise gives all its boxes the same one; no link means the second
        if tag["id"] in seen:
            del tag["id"]
        else:
            seen.add(str(tag["id"]))
    for tag in page.find_all(True):
        for name in [name for name in tag.attrs if name.startswith("on") or name == "tabindex"]:
            del tag[name]


def serialise(page: BeautifulSoup) -> str:
    """XHTML text of a page."""
    text = VIEW.sub(lambda match: CASE[match[1]] + "=", str(page))
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", text)  # characters that XML does not know


def rewrite(folder: Path, mathjax: Path) -> set[str]:
    """Rewrite all pages of a folder; names of those with formulas."""
    pages = {path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in folder.rglob("*.xhtml")}
    found = [(path, *formula) for path, page in pages.items() for formula in formulas(page)]
    made = mathml([(tex, display) for _, _, tex, display in found], mathjax) if found else []
    for (_, tag, tex, _), text in zip(found, made, strict=True):
        new = BeautifulSoup(text, "html.parser")
        new.math["alttext"] = tex
        kept = [child for child in tag.children if isinstance(child, Tag)]  # the number of an equation
        tag.clear()
        tag.extend([*kept, new.math])
    for path, page in pages.items():
        tidy(page)
        path.write_text(serialise(page), encoding="utf-8")
    return {path.relative_to(folder).as_posix() for path, *_ in found}


def mend_contents(folder: Path, start: str) -> list[str]:
    """Sphinx takes the start page's folder for the top: mend nav.xhtml's links. -> the pages in the order of reading."""
    nav = folder / "nav.xhtml"
    page = BeautifulSoup(nav.read_text(encoding="utf-8"), "html.parser")
    order = []
    for link in page.find_all("a", href=True):
        path, _, anchor = str(link["href"]).partition("#")
        if not (folder / path).is_file():
            path = posixpath.normpath(posixpath.join(posixpath.dirname(start), path))
        link["href"] = path + (f"#{anchor}" if anchor else "")
        order.append(path)
    nav.write_text(serialise(page), encoding="utf-8")
    return list(dict.fromkeys(order))


def wanted(folder: Path, pages: list[str]) -> list[str]:
    """The pictures and styles that the pages load, and what those styles load."""
    found: dict[str, None] = {}
    for name in pages:
        page = BeautifulSoup((folder / name).read_text(encoding="utf-8"), "html.parser")
        for tag in page.select("link[rel~=stylesheet], img"):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), str(tag.get("href") or tag.get("src"))))
            found[path] = None
    for style in [name for name in found if name.endswith(".css")]:
        for url in re.findall(r"url\(['\"]?([^'\")]+)", (folder / style).read_text(encoding="utf-8")):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(style), url))
            if (folder / path).is_file():
                found[path] = None
    return sorted(found)


def list_contents(folder: Path, with_math: set[str], start: str) -> None:
    """Write the package's list of files, and the order of the pages, anew."""
    for prefix, uri in (("", NAMESPACES["opf"]), ("dc", "http://purl.org/dc/elements/1.1/")):
        ElementTree.register_namespace(prefix, uri)
    tree = ElementTree.parse(folder / "content.opf")
    root = tree.getroot()
    for tag in ("manifest", "spine", "guide"):
        for old in root.findall(f"opf:{tag}", NAMESPACES):
            root.remove(old)
    order = mend_contents(folder, start)
    there = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.xhtml"))
    pages = [*order, *(name for name in there if name not in order and name != "nav.xhtml")]
    manifest = ElementTree.SubElement(root, f"{{{NAMESPACES['opf']}}}manifest")
    spine = ElementTree.SubElement(root, f"{{{NAMESPACES['opf']}}}spine")
    for number, name in enumerate(["nav.xhtml", *pages, *wanted(folder, pages)]):
        own = {"nav.xhtml": "nav"}.get(name, "mathml" if name in with_math else "")
        kind = TYPES.get(name.rpartition(".")[2], "application/octet-stream")
        item = {"id": f"file{number}", "href": name, "media-type": kind, **({"properties": own} if own else {})}
        ElementTree.SubElement(manifest, f"{{{NAMESPACES['opf']}}}item", item)
        if name in pages:
            ElementTree.SubElement(spine, f"{{{NAMESPACES['opf']}}}itemref", {"idref": f"file{number}"})
    tree.write(folder / "content.opf", encoding="utf-8", xml_declaration=True)


def pack(folder: Path, out: Path) -> None:
    """Zip what the package file lists, the type first and uncompressed, without dates: the same bytes each time."""
    manifest = ElementTree.parse(folder / "content.opf").find("opf:manifest", NAMESPACES)
    assert manifest is not None
    listed = sorted({item.get("href", "") for item in manifest})
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out, "w") as file:
        for name in ("mimetype", "META-INF/container.xml", "content.opf", *listed):
            how = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            file.writestr(zipfile.ZipInfo(name), (folder / name).read_bytes(), how)


def finish(variant: Variant, folder: Path) -> Path:
    """Make the EPUB of what Sphinx left in `folder`; its path. BrokenBook if it has faults."""
    if browser.executable() is None:
        raise BrokenBook("formulas are translated by Chromium: install it (Debian: apt-get install chromium)")
    list_contents(folder, rewrite(folder, variant.root / "book" / "_vendor" / "mathjax"), variant.start)
    out = downloads.folder(variant) / downloads.FORMATS["EPUB"]
    pack(folder, out)
    if found := problems(out):
        out.unlink()
        raise BrokenBook("the EPUB has faults:\n" + "\n".join(found[:40]))
    return out
