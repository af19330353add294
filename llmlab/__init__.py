"""llmlab: how language models generate text, built by the student, checked by the course.

The modules at the top level (`llmlab.decoding`, `llmlab.penalties`, ...) are the student's.
The folders (`checks`, `harness`, `models`, ...) are given.
Importing `llmlab` installs the finder that decides which file a lab module comes from: see `llmlab._finder`.
"""

from llmlab import _finder

__version__ = "0.1.0"

_finder.install()


def __getattr__(name: str):
    """`llmlab.check`, `llmlab.check_answer`, `llmlab.use` and `llmlab.reload`, loaded only when asked for."""
    if name in ("check", "reload"):
        from llmlab.harness import notebook

        return getattr(notebook, name)
    if name == "check_answer":
        from llmlab.harness.answers import check_answer

        return check_answer
    if name == "use":
        return _finder.use
    raise AttributeError(f"module 'llmlab' has no attribute {name!r}")
