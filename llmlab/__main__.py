"""`python -m llmlab` is the `llmlab` command."""

import os
import sys
from pathlib import Path

# `python -m` puts the current folder first on the path: a student's random.py or torch.py there would be
# imported in place of the real one. The command needs that folder only if llmlab itself was found there.
here = os.getcwd()
if Path(__file__).resolve().parent.parent != Path(here).resolve():
    sys.path[:] = [entry for entry in sys.path if entry not in ("", here)]

from llmlab.cli import main  # noqa: E402  (after the path is clean)

main()
