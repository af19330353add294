"""Plant a fault for every gate of the book, and write what the gates said:  python -m tools.gates_table

Writes results/gates.json: the table (gate, planted fault, what was said) that the book can show, and how many were
noticed. It exits with 1 if one was not. The faults are those of tests/book/planted.py, which the tests plant as well.
"""

from __future__ import annotations

import datetime
import importlib.util
import io
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.record import machine
from tests.book import mini, planted
from tools.book import browser, gates

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 160


def line_with(text: str, wanted: str) -> str:
    """The line of `text` that has the wanted words, shortened around them; empty if none has."""
    for line in text.splitlines():
        if (at := line.find(wanted)) >= 0:
            line = line.strip()
            start = max(0, min(at - 40, len(line) - LONGEST))
            cut = line[start : start + LONGEST]
            return ("… " if start else "") + cut + (" …" if start + LONGEST < len(line) else "")
    return ""


def build_says(folder: Path) -> str:
    """What building the faulty book prints."""
    spec = importlib.util.spec_from_file_location("book_build", ROOT / "book" / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    mini.make(folder, planted.faulty_book())
    text = io.StringIO()
    module.build(folder, Console(file=text, width=1000))
    return text.getvalue().replace(f"{folder}/", "")


def rows() -> list[list[str]]:
    """[gate, planted fault, what was said] for every fault; the last is empty where a gate slept."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / part for part in ("tree", "epub", "pages", "book")]
        for folder in folders:
            folder.mkdir()
        tree, epub, pages, book = folders
        said = build_says(book)
        found += [[one.gate, one.fault, line_with(said, one.says)] for one in planted.BUILD]
        found += [[one.gate, one.fault, line_with(planted.tree_says(tree, one), one.says)] for one in planted.TREE]
        named = planted.plant(pages)
        findings, _ = gates.run(pages)
        for page, one in named.items():
            mine = [f for f in findings if (f.page, f.gate) == (page, one.gate) and f.mode == (one.mode or f.mode)]
            found.append([one.gate, one.fault, line_with("\n".join(f"{f.mode}: {f.what}" for f in mine), one.says)])
        found += [[one.gate, one.fault, line_with(planted.epub_says(epub, one), one.says)] for one in planted.EPUB]
    return [[gate, fault, said.replace(name, "…")] for gate, fault, said in found]


def main() -> int:
    if browser.executable() is None:
        print("no Chromium: install it (Debian: apt-get install chromium)", file=sys.stderr)
        return 1
    table = rows()
    today = datetime.date.today().isoformat()
    noticed = sum(bool(said) for *_, said in table)
    record = {
        "origin": {"command": "python -m tools.gates_table", "date": today, "machine": machine()},
        "values": {"gates": len({gate for gate, *_ in table}), "faults": len(table), "noticed": noticed},
        "tables": {"gates": {"columns": ["gate", "planted fault", "what it said"], "rows": table}},
    }
    path = ROOT / "results" / "gates.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for gate, fault, said in table:
        print(f"{'noticed' if said else 'MISSED '}  {gate:<10} {fault:<50} {said}")
    print(f"{noticed} of {len(table)} noticed; wrote {path.relative_to(ROOT)}")
    return 0 if noticed == len(table) else 1


if __name__ == "__main__":
    sys.exit(main())
