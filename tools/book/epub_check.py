"""Faults of an EPUB file, without Java: the container, the package, and every page as XML with its links and pictures.

Not a replacement of epubcheck (no schemas): it finds what keeps a reader from opening or understanding the book.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

X = "{http://www.w3.org/1999/xhtml}"
M = "{http://www.w3.org/1998/Math/MathML}"
OPF = "{http://www.idpf.org/2007/opf}"
RAW_TEX = re.compile(r"\\\(|\\\[|\\begin\{")


def container(file: zipfile.ZipFile) -> tuple[str | None, list[str]]:
    """The path of the package file, and faults on the way to it."""
    first = file.infolist()[0] if file.infolist() else None
    found = []
    if first is None or first.filename != "mimetype" or first.compress_type != zipfile.ZIP_STORED:
        found.append("the first entry is not an uncompressed mimetype")
    elif file.read("mimetype") != b"application/epub+zip":
        found.append(f"mimetype is {file.read('mimetype')!r}")
    if (bad := file.testzip()) is not None:
        found.append(f"{bad} is damaged")
    try:
        root = ElementTree.fromstring(file.read("META-INF/container.xml"))
    except (KeyError, ElementTree.ParseError) as error:
        return None, [*found, f"META-INF/container.xml: {error}"]
    path = next((tag.get("full-path") for tag in root.iter() if tag.tag.endswith("rootfile")), None)
    return path, found if path in file.namelist() else [*found, f"no package file {path}"]


def package(file: zipfile.ZipFile, path: str) -> tuple[list[str], list[str]]:
    """The pages in the package file, and its faults: files that are not there, not listed, or not reached."""
    root = ElementTree.fromstring(file.read(path))
    items = {item.get("id"): item for item in root.iter(f"{OPF}item")}
    names = [item.get("href", "") for item in items.values()]
    there = set(file.namelist()) - {"mimetype", "META-INF/container.xml", path}
    found = [f"the package lists {name}, which is not there" for name in names if unquote(name) not in there]
    found += [f"{name} is not in the package's list" for name in sorted(there - {unquote(name) for name in names})]
    found += [f"the package lists {name} twice" for name in sorted({name for name in names if names.count(name) > 1})]
    spine = [entry.get("idref") for entry in root.iter(f"{OPF}itemref")]
    found += [f"the order of pages names {name}, which is not listed" for name in spine if name not in items]
    if not any("nav" in (item.get("properties") or "").split() for item in items.values()):
        found.append("there is no table of contents (nav)")
    pages = [i.get("href", "") for i in items.values() if i.get("media-type") == "application/xhtml+xml"]
    mathless = [i.get("href", "") for i in items.values() if "mathml" not in (i.get("properties") or "").split()]
    for name in set(pages) & set(mathless) & there:
        if b"<math" in file.read(name):
            found.append(f"{name} has formulas and the package does not say so")
    return [name for name in pages if name in there], found


def page_faults(name: str, root: ElementTree.Element) -> list[str]:
    """Faults of one page by itself."""
    found = []
    for image in root.iter(f"{X}img"):
        alt = image.get("alt")
        decorative = alt == "" and ("decorative" in image.get("class", "") or image.get("role") == "presentation")
        if not decorative and (alt is None or alt.startswith("_images/") or len(alt.split()) < 2):
            found.append(f"picture {image.get('src')} has alt={alt!r}")
    for tag, what in ((f"{X}script", "a script"), (f"{X}iframe", "a frame"), (f"{M}merror", "a broken formula")):
        if next(root.iter(tag), None) is not None:
            found.append(what)
    ids = [tag.get("id") for tag in root.iter() if tag.get("id")]
    found += [f"id {one!r} twice" for one in sorted({one for one in ids if ids.count(one) > 1})]
    for tag in root.iter():
        if "math" in tag.get("class", "").split() and RAW_TEX.search(tag.text or ""):
            found.append(f"a formula that is not translated: {(tag.text or '').strip()[:40]!r}")
    return [f"{name}: {one}" for one in found]


def problems(path: Path) -> list[str]:
    """All faults, as sentences; none for a good book."""
    if not zipfile.is_zipfile(path):
        return [f"{path.name} is not a zip file"]
    with zipfile.ZipFile(path) as file:
        opf, found = container(file)
        if opf is None or opf not in file.namelist():
            return found
        pages, more = package(file, opf)
        found += more
        trees = {}
        for name in pages:
            try:
                trees[name] = ElementTree.fromstring(file.read(name))
            except ElementTree.ParseError as error:
                found.append(f"{name} is not well-formed: {error}")
        anchors = {name: {tag.get("id") for tag in root.iter() if tag.get("id")} for name, root in trees.items()}
        for name, root in trees.items():
            found += page_faults(name, root)
            for tag in root.iter():
                for attribute in ("href", "src"):
                    link = urlsplit(tag.get(attribute) or "")
                    if link.scheme in ("http", "https") and attribute == "src":
                        found.append(f"{name}: fetches {tag.get(attribute)}")
                    if link.scheme or not (link.path or link.fragment):
                        continue
                    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(link.path)))
                    target = target if link.path else name
                    if target not in file.namelist():
                        found.append(f"{name}: no file {tag.get(attribute)}")
                    elif link.fragment and target in anchors and unquote(link.fragment) not in anchors[target]:
                        found.append(f"{name}: no anchor {tag.get(attribute)}")
    return found
