"""The frame of the interactive figures: declarations, buttons and data are checked; one palette for plots and scripts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from llmlab.figures.style import PALETTE

ROOT = Path(__file__).resolve().parents[2]
SPECS = sorted((ROOT / "book" / "_figures").glob("*.yml"))
SCRIPTS = ROOT / "book" / "_static" / "figures"
STYLE = (SCRIPTS / "figures.css").read_text(encoding="utf-8")
SPEC = {"knobs": {"T": {"label": "t", "range": [0, 2], "start": 1}, "b": {"label": "b", "values": [1, 2, 4], "start": 1},
                  "on": {"label": "on", "start": True}}}


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_figure_is_declared_whole(figures: ModuleType, path: Path) -> None:
    spec = figures.read_spec(path)
    for name, knob in spec["knobs"].items():
        figures.check_value(name, knob, knob["start"])
    script = (SCRIPTS / f"{path.stem}.js").read_text(encoding="utf-8")
    assert f'llmlab.figure("{path.stem}"' in script and "module.exports = {" in script
    assert not re.search(r"\b(import|export|fetch|XMLHttpRequest)\b(?! ?s\b)[ (]", re.sub(r"/\*.*?\*/|//.*", "", script, flags=re.S))


@pytest.mark.parametrize("figure", ["roofline", "kv-memory"])
def test_the_knobs_offer_what_the_data_has(figures: ModuleType, figure: str) -> None:
    knobs = figures.read_spec(ROOT / "book" / "_figures" / f"{figure}.yml")["knobs"]
    data = json.loads((ROOT / "book" / "_data" / "cost.json").read_text(encoding="utf-8"))
    for name, key in (("model", "models"), ("accelerator", "accelerators"), ("weights", "weights"), ("cache", "caches")):
        assert knobs[name]["values"] == list(data[key]), name


def test_every_script_belongs_to_a_declared_figure() -> None:
    assert {path.stem for path in SCRIPTS.glob("*.js")} - {"lib"} == {path.stem for path in SPECS}


@pytest.mark.parametrize(
    ("target", "message"),
    [("q=1", "no knob 'q'; the knobs are T, b, on"), ("T=3", "T=3 is outside 0 to 2"), ("b=3", "b=3 is not one of 1, 2, 4"),
     ("on=2", "on=2 must be 0 or 1"), ("T=hot", "could not convert")],
)
def test_a_button_refuses_what_the_figure_cannot_show(figures: ModuleType, target: str, message: str) -> None:
    figure, values = figures.parse_state(f"fig x: {target}")
    assert figure == "fig-x"
    with pytest.raises(ValueError, match=message):
        figures.check_state(SPEC, values)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"title": "x"}, "needs a title and a fallback"),
        ({"title": "x", "fallback": "y", "knobs": {"a": {"label": "a", "start": 1}}}, "needs either values or a range"),
        ({"title": "x", "fallback": "y", "knobs": {"a": {"label": "a", "range": [0, 1]}}}, "needs a label, a start"),
        ({"title": "x", "fallback": "y", "knobs": {"a": {"label": "a", "start": True, "max": 1}}}, "unknown key 'max'"),
    ],
)
def test_a_bad_declaration_is_refused(figures: ModuleType, tmp_path: Path, spec: object, message: str) -> None:
    (tmp_path / "f.yml").write_text(yaml.safe_dump(spec))
    with pytest.raises(ValueError, match=message):
        figures.read_spec(tmp_path / "f.yml")


@pytest.mark.parametrize(
    ("text", "message"), [('{"a": 1}', "d.json lacks b"), ('{"a": [1, Infinity], "b": 0}', "must be finite, not Infinity")]
)
def test_bad_data_is_refused(figures: ModuleType, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        figures.read_data(tmp_path / "d.json", ["a", "b"])


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_plots_and_scripts_share_a_palette_that_can_be_seen() -> None:
    light, dark = (dict(re.findall(r"--fig-(\w+): (#\w{6})", part)) for part in STYLE.split('html[data-theme="dark"] {')[:2])
    dark = {key: value for key, value in dark.items() if key in light}
    assert [light[str(i + 1)].upper() for i in range(5)] == list(PALETTE)
    cycle = re.search(r'cycler\("color", (\[.*\])\)', (ROOT / "book/_data/matplotlibrc").read_text(encoding="utf-8"))[1]
    assert [f"#{colour.lower()}" for colour in json.loads(cycle)] == [light[str(i + 1)] for i in range(7)]
    assert set(dark) == set(light)
    for colours, paper in ((light, "#ffffff"), (dark, "#14181e")):  # the theme's backgrounds
        for name, colour in colours.items():
            wanted = 4.5 if name in ("good", "bad") else 3  # those two also colour words
            assert contrast(colour, paper) >= wanted, (name, colour, paper)


def test_a_page_gets_figures_buttons_and_answers(mini_book) -> None:
    page = "# One\n\nPut it {figset}`low <playground: T=0.2, k=5>`.\n\n```{interactive} sampling\n:data: d.json\n:name: playground\n```\n\n" \
           "```{reveal} Is it *so*?\nYes.\n```\n"
    data = json.dumps({"prompt": "a</script>", "tokens": ["x"], "logits": [1], "seen": [0]})
    root, build = mini_book({"_toc.yml": "format: jb-book\nroot: book/one\n", "solutions/decoding.py": "", "book/one.md": page, "book/d.json": data,
                             "book/_figures/sampling.yml": (ROOT / "book/_figures/sampling.yml").read_text(encoding="utf-8")})
    status, text = build()
    assert status == 0, text
    html = (root / "_build/html/book/one.html").read_text(encoding="utf-8")
    assert '<button type="button" class="fig-set" data-fig="playground" data-set="T=0.2,k=5">low</button>' in html
    assert 'id="playground" role="group" aria-label="Sampling playground"' in html and "a</script>" not in html
    assert re.search(r'<details class="reveal">\s*<summary>Is it <em>so</em>\?</summary>', html)
    assert html.index("figures/lib.js") < html.index("figures/sampling.js")
    (root / "book/one.md").write_text(page.replace("T=0.2", "T=9").replace("fig-set", ""), encoding="utf-8")
    status, text = build()
    assert status == 1 and "figset: T=9 is outside 0 to 2" in text
