"""A fault for each gate of the book, and what the gate must say about it. The tests plant them; `python -m
tools.gates_table` plants them too and writes what was said into results/gates.json. Nothing here looks at the book."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tools.book import epub_check, spelling, tree

VENDOR = Path(__file__).resolve().parents[2] / "book" / "_vendor"


@dataclass(frozen=True)
class Plant:
    """One fault: the gate that must notice it, the fault in words, what makes it, and a part of what the gate says."""

    gate: str
    fault: str
    made: str
    says: str
    mode: str = ""


PAGE = """<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body {{ color: #222; background: #fff; margin: 1rem; }}
html[data-theme=dark] body {{ color: #eee; background: #111; }} html[data-theme=dark] .faint {{ color: #333; }}</style>
<script>const media = matchMedia("(prefers-color-scheme: dark)");
const set = () => {{ document.documentElement.dataset.theme = media.matches ? "dark" : "light"; }};
set(); media.addEventListener("change", set);</script>{head}</head>
<body><main><article><h1>A page</h1><p>Its first paragraph.</p>{body}</article></main></body></html>
"""
MATHJAX = f'<script src="{(VENDOR / "mathjax" / "tex-svg.js").as_uri()}"></script>'
FIGURE = """<div class="fig" id="fig-one" role="group" aria-label="One figure">
<div class="knobs"><label for="k">knob</label><input id="k" name="k" type="range" min="0" max="9" value="3"{knob}></div>
<p role="status">{said}</p><div class="fig-stage">{stage}</div></div><script>{script}</script>"""
LIVE = 'document.getElementById("k").oninput = (e) => { document.querySelector(".stage-text").innerText = e.target.value; };'
STAGE = '<p class="stage-text" style="min-height: 3rem">three</p>'


def figure(said: str = "It shows three.", stage: str = STAGE, script: str = LIVE, knob: str = "") -> str:
    return FIGURE.format(said=said, stage=stage, script=script, knob=knob)


BROWSER = [
    Plant("axe", "a button without a name", "<button></button>", "button-name", "light"),
    Plant("axe", "grey on grey in dark mode only", '<p class="faint">hardly seen</p>', "color-contrast", "dark"),
    Plant("axe", "a button of 8 pixels, beside another, on a phone",
          "<style>button.s { width: 30px; height: 30px; } @media (max-width: 400px) { button.s { width: 8px; height: 8px; "
          "padding: 0; margin: 0; border: 0; overflow: hidden; } }</style>"
          '<p><button class="s">a</button><button class="s">b</button></p>',
          "target-size", "phone"),
    Plant("dark", "a page that stays light", "<script>media.removeEventListener('change', set);</script>", "stays light",
          "dark"),
    Plant("console", "an error in the console", "<script>console.error('planted');</script>", "planted"),
    Plant("console", "a script that throws", "<script>nothing.there();</script>", "nothing is not defined"),
    Plant("remote", "a script from elsewhere", '<script src="https://example.org/a.js"></script>',
          "asks for https://example.org/a.js"),
    Plant("width", "a table wider than a phone", '<div style="width: 600px">wide</div>', "616 px wide at 375", "phone"),
    Plant("width", "figure text of 6 pixels on a phone",
          figure(stage='<svg viewBox="0 0 640 300" width="100%" role="img" aria-label="a plot">'
                 '<text x="9" y="99" style="font-size: 12px">small</text></svg>' + STAGE), "px high", "phone"),
    Plant("math", "a formula that MathJax cannot read", r'<span class="math">\(\frac{1}\)</span>',
          "broken: Missing argument"),
    Plant("math", "a formula that is not set", r'<span class="math">x^2</span>', "not set: x^2"),
    Plant("math", "TeX left in the text", r"<p>A cost of $O(n^2)$ each.</p>", "raw TeX in the text"),
    Plant("figure", "a figure whose script failed", '<div class="fig" id="fig-one"></div>', "fig-one is empty"),
    Plant("figure", "a figure without words", figure(said=""), "does not say in words"),
    Plant("figure", "a slider that ignores the keyboard", figure(knob=' onkeydown="event.preventDefault()"'),
          "k does not move", "keyboard"),
    Plant("figure", "controls that change nothing", figure(script=""), "nothing that its controls do", "keyboard"),
    Plant("figure", "a button for a figure that is not there",
          '<button class="fig-set" data-fig="fig-two" data-set="k=1">set</button>', "fig-two, which is not on the page",
          "keyboard"),
    Plant("alt", "a picture that is not there", '<img src="none.png" alt="a curve that rises">', "none.png does not load"),
]  # fmt: skip
GOOD = r"<p>It is <span class='math'>\(x^2\)</span>.</p>" + figure()


def plant(folder: Path) -> dict[str, Plant]:
    """Write a page per fault, and good.html; page name -> fault."""
    named = {f"fault{number:02}.html": one for number, one in enumerate(BROWSER)}
    for name, body in {**{name: one.made for name, one in named.items()}, "good.html": GOOD}.items():
        head = MATHJAX if 'class="math"' in body or "class='math'" in body else ""
        (folder / name).write_text(PAGE.format(head=head, body=body), encoding="utf-8")
    return named


TREE = [
    Plant("links", "a link to a page that is not there", '<a href="b.html">b</a>', "no file b.html"),
    Plant("links", "a link to an anchor that is not there", '<a href="#there">there</a>', "no anchor #there"),
    Plant("alt texts", "Sphinx's stand-in for an alt text", '<img src="p.png" alt="_images/0a1b.png">',
          "has alt='_images/0a1b.png'"),
    Plant("alt texts", "a picture without an alt text", '<img src="p.png">', "has alt=None"),
    Plant("weight", "a picture of two megabytes", '<img src="big.png" alt="A large picture">',
          "2.00 MB, and a page may have 0.8"),
    Plant("spelling", "a word misspelt", "<p>It is teh first.</p>", "teh ==> the"),  # codespell:ignore teh
]


def tree_says(folder: Path, plant: Plant) -> str:
    """What the gates without a browser say about a tree of one page with this fault."""
    (folder / "p.png").write_bytes(b"")
    (folder / "big.png").write_bytes(bytes(2_000_000))
    page = folder / "a.html"
    page.write_text(f'<p id="here">x</p>{plant.made}', encoding="utf-8")
    pages = tree.read(folder)
    found = [*tree.broken_references(pages), *tree.mute_pictures(pages), *tree.too_heavy(folder, pages)]
    return "\n".join([*found, *spelling.misspelt([page])])


def xhtml(body: str, name: str = "") -> str:
    """A page of an EPUB; with a name, as a plant replaces it."""
    head = f"{name}:" if name else ""
    title = "<head><title>A page</title></head>"
    return f'{head}<html xmlns="http://www.w3.org/1999/xhtml">{title}<body>{body}</body></html>'


ITEM = '<item id="{0}" href="{0}" media-type="application/xhtml+xml"{1}/>'
PACKAGE = (
    '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><manifest>'
    + ITEM.format("nav.xhtml", ' properties="nav"')
    + ITEM.format("a.xhtml", "")
    + '<item id="p" href="p.png" media-type="image/png"/></manifest><spine><itemref idref="a.xhtml"/></spine></package>'
)
GOOD_EPUB = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": '<container><rootfiles><rootfile full-path="content.opf"/></rootfiles></container>',
    "content.opf": PACKAGE,
    "nav.xhtml": xhtml('<a href="a.xhtml#top">A page</a>'),
    "a.xhtml": xhtml('<p id="top">x <img src="p.png" alt="A rising line"/></p>'),
    "p.png": "",
}
EPUB = [
    Plant("epub", "a type that is not first", "mimetype", "first entry is not an uncompressed mimetype"),
    Plant("epub", "a container that leads nowhere", "META-INF/container.xml:<a/>", "no package file"),
    Plant("epub", "a page that is no XML", xhtml("<p id=top>x<br></p>", "a.xhtml"), "a.xhtml is not well-formed"),
    Plant("epub", "a page that is not listed", "b.xhtml:<a/>", "b.xhtml is not in the package's list"),
    Plant("epub", "a listed file that is not there", f"content.opf:{PACKAGE.replace('p.png', 'q.png')}",
          "lists q.png, which is not"),
    Plant("epub", "no table of contents", f"content.opf:{PACKAGE.replace('properties', 'x')}", "no table of contents"),
    Plant("epub", "a link to a lost anchor", xhtml('<a href="a.xhtml#end">A</a>', "nav.xhtml"),
          "no anchor a.xhtml#end"),
    Plant("epub", "a picture without words", xhtml('<img id="top" src="p.png" alt=""/>', "a.xhtml"),
          "p.png has alt=''"),
    Plant("epub", "a script", xhtml('<p id="top"/><script>1</script>', "a.xhtml"), "a script"),
    Plant("epub", "a formula left as TeX", xhtml(r'<p id="top" class="math">\(x\)</p>', "a.xhtml"),
          "a formula that is not translated"),
    Plant("epub", "a picture from elsewhere",
          xhtml('<p id="top"><img src="https://x.org/p.png" alt="A rising line"/></p>', "a.xhtml"), "fetches https://x.org"),
]  # fmt: skip


def epub_says(folder: Path, plant: Plant | None = None) -> str:
    """What the check says about a small EPUB with this fault: "mimetype" goes last, "NAME:TEXT" replaces or adds a file."""
    files = dict(GOOD_EPUB)
    if plant and plant.made == "mimetype":
        files["mimetype"] = files.pop("mimetype")
    elif plant:
        name, _, text = plant.made.partition(":")
        files[name] = text
    with zipfile.ZipFile(folder / "book.epub", "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
    return "\n".join(epub_check.problems(folder / "book.epub"))


PLOT = "```{code-cell} python\nimport matplotlib.pyplot as plt\nplt.plot([0, 1]);\n```"
ROW = "- {id: x-1, source: L11, says: a, verdict: right, holds: b, section: sec-a, evidence: {}}\n"
LOST = (
    "- {id: x-2, source: L11, says: a, verdict: right, holds: b, section: sec-a, "
    "evidence: {results: {speed.lost: c}, tests: ['tests/none.py::test_it'], cite: [nobody1900]}}\n"
)
BUILD = [
    Plant("numbers", "a number that does not exist", "It is {num}`speed.rato` times.",
          "no number 'speed.rato' in results/"),
    Plant("references", "a link to a label that does not exist", "See {ref}`sec-nowhere`.", "sec-nowhere"),
    Plant("figures", "a button for a figure that is not there", "{figset}`hot <playground: T=9>`",
          "no figure 'playground'"),
    Plant("alt texts", "a plot without an alt text", PLOT, "has no alt text"),
    Plant("execution", "a cell that fails", "```{code-cell} python\n1 / 0\n```", "ZeroDivisionError"),
    Plant("offline", "a picture from elsewhere", '<img src="https://example.org/p.png" alt="a picture from elsewhere">',
          "loads https://example.org/p.png"),
    Plant("ledger", "a row without evidence", ROW, "x-1: no evidence"),
    Plant("ledger", "a row whose number does not exist", LOST, "x-2: no number 'speed.lost'"),
    Plant("ledger", "a row whose test does not exist", LOST, "x-2: no test 'tests/none.py::test_it'"),
    Plant("ledger", "a row that cites nothing", LOST, "x-2: no entry 'nobody1900'"),
]  # fmt: skip


def faulty_book() -> dict[str, str]:
    """The files of a book of one chapter with all these faults."""
    header = (
        "---\njupytext: {text_representation: {extension: .md, format_name: myst}}\n"
        "kernelspec: {name: python3, display_name: Python 3}\n---\n"
    )
    pieces = [one.made for one in BUILD if one.gate != "ledger"]
    rows = dict.fromkeys(one.made for one in BUILD if one.gate == "ledger")
    origin = {"command": "python measure.py", "date": "2026-11-21", "machine": "2 cores"}
    return {
        "_toc.yml": "format: jb-book\nroot: book/intro\n",
        "book/intro.md": header + "\n\n".join(["# A page", *pieces, "```{ledger}\n```"]) + "\n",
        "solutions/decoding.py": "",
        "results/speed.json": json.dumps({"origin": origin, "values": {"ratio": 3.1416}}),
        "book/ledger/part1.yml": "".join(rows),
    }
