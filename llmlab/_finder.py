"""Decides which file a lab module comes from. One rule, and nothing else lives here.

`import llmlab.decoding` looks, in this order, at

1. the folder or file given to `llmlab.use(path)`,
2. the folder named by the environment variable `LLMLAB_CODE`,
3. the nearest `llmlab.toml`, from the current folder upwards (`[workspace] code = "."`),
4. the scaffold inside the package.

The first of these that exists decides. If it lacks the file, that is an error, not a reason to try the next:
otherwise a deleted file would silently be replaced by another one. Only the names in `LAB_MODULES` are looked up
this way, so a file `models.py` or a folder `checks/` beside a student's work shadows nothing.
"""

from __future__ import annotations

# Not importlib.abc: it imports tempfile and so random, and under `python -m llmlab` the current folder, with a student's
# random.py in it, is still first on the path while this file is imported.
import hashlib
import importlib.util
import os
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
LABS: dict[str, tuple[str, ...]] = {
    "lab1": ("decoding", "penalties"),
    "lab2": ("flops",),
    "lab3": ("kv_cache",),
    "lab4": ("paged_cache", "gpu_timing"),
    "lab5": ("speculative", "medusa"),
    "lab6": ("quantization", "calibration", "compression"),
}
"""Lab -> its modules. The checks say the same of each task, but need torch; a test holds the two together."""
LAB_MODULES = tuple(module for modules in LABS.values() for module in modules)
"""The modules that students write. Everything else under `llmlab` is given."""

CONFIG = "llmlab.toml"
_chosen: Path | None = None


class LabModuleError(ImportError):
    """A lab module cannot be found or read; the message says where it was expected and what to do."""


@dataclass(frozen=True)
class Found:
    """Where a lab module comes from: `path` of the file, and `origin`, the rule that chose it."""

    module: str
    path: Path
    origin: str

    def read(self) -> bytes:
        """The bytes of the saved file. Raises LabModuleError if it is missing."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise LabModuleError(
                f"llmlab.{self.module} should come from {self.path} (chosen by {self.origin}), but that file "
                f"cannot be read: {error.strerror}. Restore it, or run `llmlab update {lab_of(self.module)}` to get a "
                "fresh scaffold."
            ) from None

    def digest(self) -> str:
        """First 12 hex digits of the SHA-256 of the saved file."""
        return short_hash(self.read())


def lab_of(module: str) -> str:
    """The lab that a module belongs to.

    >>> lab_of("penalties")
    'lab1'
    """
    return next(lab for lab, modules in LABS.items() if module in modules)


def short_hash(source: bytes) -> str:
    """First 12 hex digits of the SHA-256 of `source`.

    >>> short_hash(b"")
    'e3b0c44298fc'
    """
    return hashlib.sha256(source).hexdigest()[:12]


def use(path: str | os.PathLike | None) -> None:
    """Take lab modules from this folder (or this one file) from now on; `None` undoes it."""
    global _chosen
    if path is None:
        _chosen = None
        return
    chosen = Path(path).expanduser().resolve()
    if not chosen.exists():
        raise LabModuleError(f"llmlab.use({str(path)!r}): there is no such file or folder. Check the spelling.")
    _chosen = chosen


def workspace(start: Path | None = None) -> Path | None:
    """The folder of the nearest `llmlab.toml`, from `start` (default: the current folder) upwards, or None."""
    here = Path(start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / CONFIG).is_file():
            return folder
    return None


def code_folder(root: Path) -> Path:
    """The folder that `root/llmlab.toml` names as `[workspace] code`. Raises LabModuleError if it cannot be read."""
    file = root / CONFIG
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
        code = settings.get("workspace", {}).get("code", ".")
        if not isinstance(code, str):
            raise ValueError(f"[workspace] code must be a string, not {code!r}")
    except (ValueError, OSError, AttributeError) as error:
        raise LabModuleError(f"{file} cannot be read: {error}. Mend that line, or run `llmlab start` again.") from None
    return (root / code).resolve()


def find(module: str) -> Found:
    """Where `llmlab.<module>` comes from. Does not check that the file exists: `Found.read` does."""
    if module not in LAB_MODULES:
        raise LabModuleError(f"{module!r} is not a lab module. The lab modules are: {', '.join(LAB_MODULES)}.")
    if _chosen is not None:
        if _chosen.is_dir():
            return Found(module, _chosen / f"{module}.py", "llmlab.use")
        if _chosen.stem == module:
            return Found(module, _chosen, "llmlab.use")
    folder = os.environ.get("LLMLAB_CODE")
    if folder:
        return Found(module, Path(folder).expanduser().resolve() / f"{module}.py", "LLMLAB_CODE")
    root = workspace()
    if root is not None:
        return Found(module, code_folder(root) / f"{module}.py", str(root / CONFIG))
    return Found(module, PACKAGE / f"{module}.py", "the scaffold in the package")


class _Loader:
    """Runs the saved file and remembers its hash, so that a stale import can be seen."""

    def __init__(self, found: Found):
        self.found = found

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        source = self.found.read()
        module.__file__ = str(self.found.path)
        module.__llmlab_hash__ = short_hash(source)
        module.__llmlab_imported__ = time.time()
        exec(compile(source, module.__file__, "exec"), module.__dict__)

    def get_source(self, fullname):
        return self.found.read().decode("utf-8", "replace")


class Finder:
    """The import hook. It answers for the allow-listed names only."""

    def find_spec(self, fullname, path=None, target=None):
        package, _, module = fullname.rpartition(".")
        if package != "llmlab" or module not in LAB_MODULES:
            return None
        found = find(module)
        return importlib.util.spec_from_loader(fullname, _Loader(found), origin=str(found.path))


def install() -> None:
    """Put the finder first on `sys.meta_path`; calling it twice changes nothing."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())
