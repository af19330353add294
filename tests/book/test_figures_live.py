"""The steppers, the grid and the curve in Chromium, as a reader uses them: buttons, keys, dragging, a phone.

Each figure stands alone on a page made from its own declaration, so no book is built. Their arithmetic has tests
of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.book.data import FOLDER
from tests.book.node import FIGURES

pytestmark = pytest.mark.xdist_group("browser")
DATA = {
    "block-stepper": "blocks",
    "speculative-stepper": "speculative",
    "speculative-curve": None,
    "quantization-grid": "quantization",
}


class Figure:
    """A figure on a page of its own."""

    def __init__(
        self, page: Any, figures: ModuleType, folder: Path, name: str, script: str | None = None
    ) -> None:
        self.page, self.name = page, name
        spec = figures.read_spec(FOLDER.parent / "_figures" / f"{name}.yml")
        data = json.loads((FOLDER / f"{DATA[name]}.json").read_text(encoding="utf-8")) if DATA[name] else None
        knobs = {
            key: {**knob, "names": {str(a): b for a, b in knob.get("names", {}).items()}}
            for key, knob in spec["knobs"].items()
        }
        payload = json.dumps({"title": spec["title"], "knobs": knobs, "data": data}).replace("</", "<\\/")
        style = "".join(
            f'<link rel="stylesheet" href="{(FIGURES / file).as_uri()}">'
            for file in ("figures.css", f"{name}.css")
        )
        if script is None:
            script = (FIGURES / f"{name}.js").read_text(encoding="utf-8")
        self.file = folder / f"{name}.html"
        self.file.write_text(
            '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"{style}"
            f'<div class="fig fig-{name}" id="fig-{name}"><script type="application/json">{payload}</script>'
            f'<p class="fig-fallback">fallback</p></div><script src="{(FIGURES / "lib.js").as_uri()}"></script>'
            f"<script>{script}</script></html>",
            encoding="utf-8",
        )

    def open(self, **how: Any) -> None:
        self.page.open(self.file, **how)
        self.page.wait_for("document.querySelector('.fig-say').textContent")

    def set(self, state: str = "") -> str:
        """Press a button as the prose has; what the figure says then."""
        self.page.evaluate(
            f"(() => {{ const b = document.createElement('button'); b.dataset.fig = 'fig-{self.name}'; "
            f"b.dataset.set = {json.dumps(state)}; document.body.append(b); b.click(); b.remove(); }})()"
        )
        return self.said()

    def press(self, label: str) -> str:
        self.page.evaluate(f"{self.button(label)}.click()")
        return self.said()

    @staticmethod
    def button(label: str) -> str:
        return (
            f"[...document.querySelectorAll('.fig button')].find(b => b.textContent === {json.dumps(label)})"
        )

    def key(self, knob: str, key: str) -> str:
        self.page.evaluate(f"document.querySelector('.fig [name={knob}]').focus()")
        for kind in ("keyDown", "keyUp"):
            code = {"ArrowRight": 39, "ArrowLeft": 37, "Home": 36, "End": 35}[key]
            self.page.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)
        return self.said()

    def said(self) -> str:
        text = self.page.evaluate("document.querySelector('.fig-say').textContent")
        whole = text + self.page.evaluate("document.querySelector('.fig').innerText")
        assert self.page.errors == [] and not any(
            sign in whole for sign in ("undefined", "NaN", "{", "[object")
        ), whole
        return text

    def value(self, knob: str) -> str:
        return self.page.evaluate(f"document.querySelector('.fig [name={knob}]').value")


@pytest.fixture
def figure(page: Any, figures: ModuleType, tmp_path: Path) -> Any:
    def make(name: str, script: str | None = None) -> Figure:
        made = Figure(page, figures, tmp_path, name, script)
        made.open()
        return made

    return make


def test_blocks_are_stepped_through_and_played_with(figure: Any) -> None:
    one = figure("block-stepper")
    assert "a comes with a text of length 6" in one.said()
    assert "b shares all blocks of a" in one.press("Next") and one.value("step") == "2"
    assert "a comes with a text of length 6" in one.press("Back")
    assert "copies it to block 2" in one.set("story=fork,step=4")
    # own calls take the place of the recorded ones, until a story is asked for again
    assert "is finished" in one.press("free") and one.value("step") == "5"
    assert one.page.evaluate(f"{one.button('Next')}.disabled")
    assert "text of length 3" in one.press("add")
    assert "b copies it to block 3" in one.set("story=fork,step=5")
    assert "All its blocks" not in one.set("story=evict,step=10")
    one.page.evaluate("document.querySelector('.fig [type=text]').value = '21 22 23'")
    assert "Refused" in one.press("add") and "blocks needed: 1, free: 0" in one.said()
    assert "Before the first call" in one.key("step", "Home")
    assert "a comes with a text of length 6" in one.press("Reset")


def test_every_call_of_every_story_has_its_words(figure: Any) -> None:
    one = figure("block-stepper")
    for story, states in json.loads((FOLDER / "blocks.json").read_text(encoding="utf-8")).items():
        calls = set()
        for step in range(len(states["states"]) + 1):
            assert "blocks are in use" in one.set(f"story={story},step={step}")
            calls.add(one.page.evaluate("document.querySelector('.fig .tools code').textContent"))
        assert len(calls) == len(states["states"]) + 1
        assert one.value("step") == str(len(states["states"]))


def test_a_pass_is_stepped_through_under_every_rule(figure: Any) -> None:
    one = figure("speculative-stepper")
    assert "None is checked yet" in one.said()
    assert "rejected" in one.press("Next") and "residual" in one.press("Next")
    values = one.page.evaluate("[...document.querySelectorAll('.fig [name=story] option')].map(o => o.value)")
    for story in values:
        for rule in ("right", "equal"):
            one.set(f"story={story},rule={rule},step=5,draws=10")
            assert "The pass gains" in one.said(), story
    assert "pass gains 3 tokens" in one.set("story=bonus,step=5")
    assert "is 0.00" in one.set("draws=100000") and "is 0.2" in one.set("rule=equal,draws=100000")
    one.set("draws=100")
    assert "After 1000 drafts" in one.press("Ten times as many drafts")
    before = one.set("seed=3")
    assert one.key("seed", "ArrowRight") != before and one.value("seed") == "4"


def drag(one: Figure, to: float) -> None:
    """The outlier from where it is to a share of the picture's height."""
    x, y, top, height = one.page.evaluate(
        "(() => { const [dot, all] = ['.knob-dot', '.drag svg']"
        ".map(s => document.querySelector('.fig ' + s).getBoundingClientRect()); "
        "return [dot.x + dot.width / 2, dot.y + dot.height / 2, all.top, all.height]; })()"
    )
    for kind, at in (
        ("mousePressed", y),
        ("mouseMoved", top + to * height),
        ("mouseReleased", top + to * height),
    ):
        one.page.call(
            "Input.dispatchMouseEvent", type=kind, x=x, y=at, button="left", buttons=1, clickCount=1
        )


def test_the_outlier_is_dragged_and_moved_by_keys(figure: Any) -> None:
    one = figure("quantization-grid")
    drag(one, 0.1)
    assert float(one.value("outlier")) > 1.5
    coarse = one.said()
    drag(one, 0.9)
    assert float(one.value("outlier")) < -1.5
    before = float(one.value("outlier"))
    one.key("outlier", "ArrowRight")
    assert float(one.value("outlier")) == pytest.approx(before + 0.05)
    assert "4 of 15 codes" in one.set("group=64,outlier=1.5") and one.set("group=8,outlier=1.5") != coarse
    one.set("scheme=nf4")
    assert one.page.evaluate("document.querySelector('.fig [name=bits]').disabled")


def test_a_grid_that_cannot_be_dragged_is_noticed(figure: Any) -> None:
    """Negative control of the test above."""
    source = (FIGURES / "quantization-grid.js").read_text(encoding="utf-8")
    broken = source.replace('all.addEventListener("pointermove", move);', "")
    assert broken != source
    one = figure("quantization-grid", broken)
    drag(one, 0.1)
    assert one.value("outlier") == "0"


def test_the_curve_follows_its_knobs(figure: Any) -> None:
    one = figure("speculative-curve")
    assert "The best γ is 6" in one.said()
    assert "Not drafting at all is best" in one.set("alpha=0.3,cost=0.5")
    one.key("gamma", "End")
    assert "With γ = 16" in one.said()


@pytest.mark.parametrize("name", DATA)
def test_a_phone_shows_it_whole(figure: Any, name: str) -> None:
    one = figure(name)
    one.open(width=375, height=800)
    for state in (
        "",
        *(
            {
                "block-stepper": ["story=share,step=7"],
                "speculative-stepper": ["story=pass 5,step=4"],
                "quantization-grid": ["scheme=affine,bits=8,group=8"],
            }.get(name, [])
        ),
    ):
        one.set(state)
        assert one.page.evaluate("document.documentElement.scrollWidth") <= 375
        smallest = one.page.evaluate(
            "Math.min(...[...document.querySelectorAll('.fig svg text')].map(t => "
            "parseFloat(getComputedStyle(t).fontSize) * t.ownerSVGElement.getBoundingClientRect().width "
            "/ t.ownerSVGElement.viewBox.baseVal.width), 99)"
        )
        assert smallest >= 11, f"a label of {smallest:.1f} px"
