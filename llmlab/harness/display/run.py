"""Prepares the display run before a student's code comes, and runs one notebook's cells.

Time: an alarm stops a cell that takes too long, so that the next one still runs; whoever ignores the alarm is
killed by the trusted side, which measures for itself.
"""

from __future__ import annotations

import builtins
import importlib
import io
import linecache
import os
import signal
import sys
import tempfile
import threading
import warnings
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from llmlab.harness.display.outputs import TOTAL, Outputs, Stream
from llmlab.harness.display.shell import MARK, lines, name_cells, shell_class, words

CHECKS = "Checks are run apart from the display; their result stands at the check's own cell."

_shell: Any = None
_models: dict[str, Any] = {}


def prepare() -> None:
    """Everything that can be ready before a student's code comes: IPython, matplotlib, the models. No
    threads.

    What matplotlib and IPython want to write goes into a folder below the current one, which whoever started
    this process removes.
    """
    global _shell
    if _shell is not None:
        return
    folder = tempfile.mkdtemp(prefix="display-", dir=os.getcwd())
    os.environ.update(
        MPLCONFIGDIR=folder,
        IPYTHONDIR=folder,
        XDG_CACHE_HOME=folder,  # of fontconfig, which else complains on the screen
        TOKENIZERS_PARALLELISM="false",
        MPLBACKEND="module://matplotlib_inline.backend_inline",
    )
    import numpy  # noqa: F401
    import torch
    from traitlets.config import Config

    torch.set_num_threads(1)
    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.colors = "nocolor"
    settings.InteractiveShell.autoindent = False
    _shell = shell_class().instance(config=settings, ipython_dir=folder)
    import matplotlib.figure

    matplotlib.use("module://matplotlib_inline.backend_inline")
    from IPython.core import pylabtools
    from matplotlib_inline.backend_inline import configure_inline_support

    from llmlab.figures import Drawing
    from llmlab.harness.display import models

    _shell.display_formatter.active_types = [
        "text/plain",
        "text/html",
        "text/latex",
        "text/markdown",
        "image/png",
    ]
    pylabtools.activate_matplotlib("module://matplotlib_inline.backend_inline")
    configure_inline_support(_shell, "module://matplotlib_inline.backend_inline")
    png = _shell.display_formatter.formatters["image/png"]
    png.for_type(matplotlib.figure.Figure, partial(pylabtools.print_figure, fmt="png", bbox_inches="tight"))
    # our own drawings fit their canvas already; to look for their bounds once more takes as long as to draw
    png.for_type(Drawing, partial(pylabtools.print_figure, fmt="png", bbox_inches=None))
    _models.update(models.load())
    _first_picture()
    for thread in threading.enumerate():  # matplotlib's timer while it looks for fonts; it has been cancelled
        if thread is not threading.current_thread():
            thread.join(10)


def _first_picture() -> None:
    """Draw once, so that no candidate pays for the first time."""
    import torch

    from llmlab import figures

    page = _shell.page = Outputs(TOTAL)
    figures.next_token_bars(torch.zeros(3), [b"a", b"b", b"c"], top=3)
    _shell.events.trigger("post_execute")
    assert any("image/png" in one.get("data", {}) for one in page.list)
    _shell.page = None


def _give(modules: dict[str, bytes]) -> None:
    """Make the student's modules importable as `llmlab.<module>`, and put what a notebook calls in place of
    checks.
    """
    import llmlab
    from llmlab import _finder, models

    class Given(_finder.Found):
        def read(self) -> bytes:
            if self.module not in modules:
                raise _finder.LabModuleError(f"{self.module}.py was not handed in.")
            return modules[self.module]

    def find(module: str) -> _finder.Found:
        if module not in _finder.LAB_MODULES:
            raise _finder.LabModuleError(f"{module!r} is not a lab module.")
        return Given(module, Path(f"{module}.py"), "the submission")

    def reload(module: str):
        name = f"llmlab.{module}"
        return importlib.reload(sys.modules[name]) if name in sys.modules else importlib.import_module(name)

    def check(name: str = "") -> None:
        print(CHECKS)

    def load(name="target", dtype=None):
        if dtype is not None:
            return original(name, dtype)
        return _models.pop(str(name), None) or original(name)  # the second call gives another object

    original = models.load
    load.__doc__ = original.__doc__
    _finder.find = find
    llmlab.check, llmlab.reload, llmlab.use, models.load = check, reload, lambda path: None, load
    for name, source in modules.items():
        file = f"{name}.py"
        linecache.cache[file] = (
            len(source),
            None,
            source.decode("utf-8", "replace").splitlines(True),
            f"{MARK}{file}",
        )


class TooLong(BaseException):
    """A cell has used its time. Not an Exception: a student's `except Exception` does not catch it."""


def _alarm(*_) -> None:
    raise TooLong


def _no_input(prompt: str = "", *_) -> str:
    raise EOFError(
        "input() cannot be answered here: nobody sits at the keyboard. Write the value into the cell."
    )


def _run(source: str, number: int, page: Outputs, seconds: float) -> None:
    """Run one cell; whatever it does is told on its page."""
    _shell.page, _shell.source, _shell.execution_count = page, source, number + 1
    sys.stdout.page = sys.stderr.page = page
    signal.signal(signal.SIGALRM, _alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        _shell.run_cell(source, store_history=False)
    except BaseException as error:
        page.error(type(error).__name__, words(error), lines(error))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    for one in page.list:
        if one["output_type"] == "error" and one["ename"] == "TooLong":
            one |= {
                "ename": "Timeout",
                "evalue": f"stopped after {seconds:g} s",
                "traceback": [*one["traceback"][:-1], f"The cell was stopped after {seconds:g} s."],
            }


def main(inward: BinaryIO, outward: BinaryIO) -> None:
    """Run one notebook's cells. The last frame is {"done": True}; whoever called then ends this process."""
    from llmlab.harness import wire

    prepare()
    request = wire.decode(wire.receive(inward))
    _give(request["modules"])
    name_cells()
    sys.stdout, sys.stderr, sys.stdin = Stream("stdout"), Stream("stderr"), io.StringIO("")
    builtins.input = _no_input
    warnings.filterwarnings("ignore", "To exit")  # IPython's word on `raise SystemExit`
    left = TOTAL
    for number, cell in enumerate(request["cells"], 1):
        page = Outputs(left)
        _run(cell["source"], number, page, request["seconds"])
        left = page.total
        wire.send(outward, wire.encode({"id": cell["id"], "outputs": page.take()}))
    wire.send(outward, wire.encode({"done": True}))
