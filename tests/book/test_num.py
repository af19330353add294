"""The role {num}: what it prints, what it refuses, and that it survives a translation."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = {"command": "python measure.py", "date": "2026-11-21", "machine": "2 cores"}


def write(folder: Path, data: object, name: str = "speed.json") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(data), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        ("speed.ratio", "3.1416"),
        ("speed.ratio:.2f", "3.14"),
        ("speed.share:.0%", "25%"),
        ("speed.count:,", "12,000"),
        ("speed.loss:.1f", "\N{MINUS SIGN}0.3"),
        ("speed.model", "target-v1"),
    ],
)
def test_prints_the_value_in_the_asked_format(
    num: ModuleType, tmp_path: Path, reference: str, shown: str
) -> None:
    values = {"ratio": 3.1416, "share": 0.25, "count": 12000, "loss": -0.3, "model": "target-v1"}
    table, problems = num.load_results(write(tmp_path, {"origin": ORIGIN, "values": values}))
    assert problems == []
    text, key, origin, path = num.render(table, reference)
    assert (text, key, path.name) == (shown, reference.split(":")[0], "speed.json")
    assert all(part in origin for part in ORIGIN.values())


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("speed.rato", r"no number 'speed.rato' in results/ \(known there: speed.ratio\)"),
        ("sped.ratio", "there is no such results file"),
        ("speed.ratio:q", "3.5 does not fit the format 'q'"),
    ],
)
def test_refuses_unknown_keys_and_formats(
    num: ModuleType, tmp_path: Path, reference: str, message: str
) -> None:
    table, _ = num.load_results(write(tmp_path, {"origin": ORIGIN, "values": {"ratio": 3.5}}))
    with pytest.raises(num.ResultsError, match=message):
        num.render(table, reference)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"values": {"a": 1}}, "no origin.command, origin.date, origin.machine"),
        ({"origin": {**ORIGIN, "date": ""}, "values": {"a": 1}}, "no origin.date"),
        ({"origin": ORIGIN}, "no 'values' object"),
        (
            {"origin": ORIGIN, "values": {"a": 1, "b": None, "c": True}},
            "must be numbers or strings, but b, c",
        ),
        ([1], "no origin"),
    ],
)
def test_a_results_file_without_origin_or_numbers_is_a_problem(
    num: ModuleType, tmp_path: Path, data: object, message: str
) -> None:
    table, problems = num.load_results(write(tmp_path, data))
    assert table == {} and len(problems) == 1 and message in problems[0]


def test_every_results_file_of_the_repository_can_be_quoted(num: ModuleType) -> None:
    assert num.load_results(ROOT / "results")[1] == []


def sphinx(source: Path, out: Path, builder: str, **config: object) -> None:
    with docutils_namespace():
        app = Sphinx(
            source,
            None,
            out,
            out / ".doctrees",
            builder,
            status=None,
            warningiserror=True,
            confoverrides={
                "extensions": ["myst_parser", "num"],
                "source_suffix": {".md": "markdown"},  # Sphinx keeps what another test's build added to it
                "locale_dirs": ["locale"],
                **config,
            },
        )
        app.build()


def test_a_translated_page_shows_the_same_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    write(tmp_path / "results", {"origin": ORIGIN, "values": {"ratio": 3.1416}})
    (tmp_path / "index.md").write_text(
        "# Speed\n\nIt is {num}`speed.ratio:.1f` times as fast.\n", encoding="utf-8"
    )
    sphinx(tmp_path, tmp_path / "pot", "gettext")
    pot = (tmp_path / "pot" / "index.pot").read_text(encoding="utf-8")
    line = "It is {num}`speed.ratio:.1f` times as fast."
    assert f'msgid "{line}"' in pot
    messages = tmp_path / "locale" / "zh_CN" / "LC_MESSAGES"
    messages.mkdir(parents=True)
    po = messages / "index.po"
    po.write_text(
        f'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8"\n\nmsgid "{line}"\n'
        'msgstr "速度是 {num}`speed.ratio:.1f` 倍。"\n',
        encoding="utf-8",
    )
    with po.open("rb") as source, (messages / "index.mo").open("wb") as target:
        write_mo(target, read_po(source, locale="zh_CN"))
    sphinx(tmp_path, tmp_path / "html", "html", language="zh_CN")
    page = (tmp_path / "html" / "index.html").read_text(encoding="utf-8")
    assert (
        "速度是" in page
        and ">3.1</span> 倍。" in page
        and 'data-origin="Measured by “python measure.py”' in page
    )
