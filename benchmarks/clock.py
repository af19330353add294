"""CPU seconds of a call: what benchmarks of code in this process compare."""

from __future__ import annotations

import time
from collections.abc import Callable


def seconds(run: Callable[[], object]) -> float:
    """CPU seconds of this process for one call."""
    started = time.process_time()
    run()
    return time.process_time() - started
