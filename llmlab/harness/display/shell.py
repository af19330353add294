"""IPython's shell without what a kernel adds: no history, no commands of the system, no magic that does
anything.
"""

from __future__ import annotations

import contextlib
import linecache
import sys
import traceback
from typing import Any

MARK = "llmlab-display:"
"""Marks, in linecache, the lines of the student's own cells and modules."""
QUIET = ("matplotlib", "load_ext", "autoreload", "config", "pylab", "precision")
"""Magics that change nothing here and need no word."""


def shell_class():
    """The shell's class; made on first use, since importing IPython takes time."""
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    class Hook(DisplayHook):
        """The value of a cell's last line."""

        def quiet(self) -> bool:
            return self.semicolon_at_end_of_expression(self.shell.source)

        def write_output_prompt(self) -> None:
            return

        def write_format_data(self, format_dict, md_dict=None) -> None:
            self.shell.page.show(
                "execute_result", format_dict, md_dict or {}, count=self.shell.execution_count
            )

        def log_output(self, format_dict) -> None:
            return

        def finish_displayhook(self) -> None:
            self._is_active = False

    class Publisher(DisplayPublisher):
        """`display(...)`, and the figures that matplotlib flushes."""

        def publish(self, data, metadata=None, *, transient=None, update=False, **_) -> None:
            self.shell.page.show("display_data", data, metadata or {}, (transient or {}).get("display_id"))

        def clear_output(self, wait=False) -> None:
            self.shell.page.list.clear()

    class Shell(InteractiveShell):
        """IPython's shell, in which magics and commands of the system do nothing."""

        page: Any = None
        source = ""

        def _tee(self, channel):
            return contextlib.nullcontext()

        def showtraceback(self, *_, **__) -> None:
            kind, error = sys.exc_info()[:2]
            if isinstance(error, BaseException):
                self.page.error(kind.__name__, words(error), lines(error))

        showsyntaxerror = showindentationerror = showtraceback

        def ask_exit(self) -> None:
            self.note("exit() does nothing here.")

        def note(self, text: str) -> None:
            self.page.write("stderr", f"{text}\n")

        def run_line_magic(self, magic_name, line, _stack_depth=1):
            if magic_name in ("time", "timeit"):
                return self.ex(line)
            if magic_name not in QUIET:
                self.note(f"%{magic_name} is not run for the display.")
            return None

        def run_cell_magic(self, magic_name, line, cell):
            if magic_name in ("time", "timeit"):
                self.run_cell(cell, store_history=False)
            elif magic_name == "capture":
                self.ex(cell)
            else:
                self.note(f"A cell that starts with %%{magic_name} is not run for the display.")

        def system(self, cmd) -> None:
            name = (str(cmd).split() or [""])[0]
            self.note(f"!{name} is not run for the display: no commands here.")

        def getoutput(self, cmd, split=True, depth=0):
            self.system(cmd)
            return [] if split else ""

    Shell.displayhook_class.default_value = Hook
    Shell.display_pub_class.default_value = Publisher
    return Shell


def words(error: BaseException) -> str:
    """What an exception says, without the place that the lines name anyway."""
    try:
        return str(error.msg if isinstance(error, SyntaxError) else error)
    except BaseException:  # the student's own exception class, when it is read
        return ""


def lines(error: BaseException) -> list[str]:
    """A short traceback: the lines of the student's cells and modules, then the error."""
    kind = type(error).__name__
    out = []
    for frame in traceback.extract_tb(error.__traceback__):
        name = linecache.cache.get(frame.filename, (None,))[-1]
        if isinstance(name, str) and name.startswith(MARK):
            where = name.partition(":")[2]
            at = f" in {frame.name}" if frame.name != "<module>" else ""
            out += [f"{where}, line {frame.lineno}{at}", f"    {(frame.line or '').strip()[:200]}"]
    if isinstance(error, SyntaxError) and not out:
        out.append(f"line {error.lineno}: {(error.text or '').strip()[:200]}")
    if len(out) > 16:
        out = [*out[:6], "    ...", *out[-8:]]
    said = words(error)[:2_000]
    return [*out, f"{kind}: {said}" if said else kind]


def name_cells() -> None:
    """Mark the lines of each cell as the student's, so that a traceback shows them."""
    from IPython.core.compilerop import CachingCompiler

    cache = CachingCompiler.cache

    def named(self, transformed_code, number=0, raw_code=None):
        name = cache(self, transformed_code, number, raw_code)
        size, when, text, _ = linecache.cache[name]
        linecache.cache[name] = (size, when, text, f"{MARK}this cell")
        return name

    CachingCompiler.cache = named
