"""Makes the pictures of README.md from real runs:  python docs/images/make.py

    book.png     a figure of the built book, as a reader sees it
    map.png      the map of the course
    check.png    `llmlab check` in a workspace where top_p has a mistake that students really make
    class.png    the page about the class that `llmlab overview lab1` wrote

Run `make course` first: the book and the sample class must be there. Needs Chromium. Nothing is drawn by hand here; a
picture that has become untrue is made again by running this.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from rich.text import Text

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from tools.book.browser import Page, browser  # noqa: E402  (the folder above must be on the path first)

COLUMNS, COLOURS = 92, 200
MISTAKE = "top_p_drops_crossing_token"
TERMINAL = (
    "<meta charset=utf-8><style>body{{margin:0;padding:14px 18px;display:inline-block;background:#fff}}"
    "a{{text-decoration:none}}"
    "pre{{margin:0;font:14px/1.4 'DejaVu Sans Mono',monospace}}{stylesheet}</style><pre>{code}</pre>"
)


def terminal(command: list[str], folder: Path) -> str:
    """What a command prints in a terminal of COLUMNS columns, with its colours."""
    mine, its = pty.openpty()
    env = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": "60", "TERM": "xterm-256color"}
    env.pop("NO_COLOR", None)
    process = subprocess.Popen(command, cwd=folder, env=env, stdin=its, stdout=its, stderr=its)
    os.close(its)
    said = b""
    while True:
        try:
            piece = os.read(mine, 65536)
        except OSError:  # the other end is closed: the command has ended
            break
        if not piece:
            break
        said += piece
    process.wait()
    os.close(mine)
    return said.decode().replace("\r\n", "\n")


def as_html(said: str) -> str:
    """A terminal's output as a page."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(said))
    return console.export_html(theme=DEFAULT_TERMINAL_THEME, code_format=TERMINAL)


def check(folder: Path) -> str:
    """`llmlab check` of the solutions with one mistake in them."""
    llmlab = str(Path(sys.executable).with_name("llmlab"))
    subprocess.run([llmlab, "start", "my-labs", "lab1"], cwd=folder, check=True, capture_output=True)
    work = folder / "my-labs"
    solved, mistake = (ROOT / "solutions" / f for f in ("decoding.py", f"mutants/decoding/{MISTAKE}.py"))
    text = solved.read_text(encoding="utf-8") + "\n\n" + mistake.read_text(encoding="utf-8")
    (work / "decoding.py").write_text(text.replace("from __future__ import annotations\n", ""), encoding="utf-8")
    shown = terminal([llmlab, "check", "decoding"], work)
    shown = shown.rpartition("\x1b[2K")[2]  # without what was shown while it ran
    return "$ llmlab check decoding\n" + shown.replace(f"{work}/", "my-labs/")


def picture(page: Page, name: str, selector: str, height: int | None = None, scale: float = 1.5) -> None:
    """Write what the first element of `selector` shows, at most `height` of it."""
    page.evaluate("new Promise((done) => setTimeout(done, 500))")  # figures draw in the next frames
    box = page.evaluate(
        f"(() => {{ const r = document.querySelector({selector!r}).getBoundingClientRect();"
        "return {x: r.x + scrollX, y: r.y + scrollY, width: r.width, height: r.height}; })()"
    )
    clip = {**box, "height": min(box["height"], height or box["height"]), "scale": scale}
    save(name, page.call("Page.captureScreenshot", format="png", clip=clip)["data"])


def window(page: Page, name: str) -> None:
    """Write what the window shows."""
    page.evaluate("new Promise((done) => setTimeout(done, 500))")
    save(name, page.call("Page.captureScreenshot", format="png")["data"])


def save(name: str, data: str) -> None:
    """Write a picture with few colours, so that it is small."""
    image = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
    file = HERE / f"{name}.png"
    image.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file.relative_to(ROOT)}: {image.width} x {image.height}, {file.stat().st_size / 1024:.0f} KiB")


def main() -> int:
    options = argparse.ArgumentParser(description="Make the pictures of README.md.")
    options.add_argument("--html", type=Path, default=ROOT / "_build" / "html", help="the built book")
    shown = ROOT / "assignments" / "overview" / "lab1.html"
    options.add_argument("--overview", type=Path, default=shown, help="the page about a class")
    given = options.parse_args()
    html, overview = given.html.resolve(), given.overview.resolve()
    if missing := [str(path) for path in (html / "index.html", overview) if not path.is_file()]:
        print(f"{' and '.join(missing)} not found; run `make course`, then `llmlab overview lab1`", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as scratch, browser() as page:
        page.open(html / "book" / "part1" / "sampling.html", width=1200, height=760)
        page.evaluate("document.querySelector('.fig-set').click()")
        page.evaluate("scrollBy(0, document.querySelector('.fig').getBoundingClientRect().top - 210)")
        window(page, "book")
        page.open(html / "book" / "map.html", width=1100, height=1800)
        picture(page, "map", "svg.course-graph", scale=1)
        shown = Path(scratch) / "check.html"
        shown.write_text(as_html(check(Path(scratch))), encoding="utf-8")
        page.open(shown, width=1000, height=1800)
        picture(page, "check", "body")
        page.open(overview, width=1000, height=1800)
        picture(page, "class", "body", 700)
    return 0


if __name__ == "__main__":
    sys.exit(main())
