"""What every test shares: one torch thread, no network for models, and CI's rule against skipped tests."""

from __future__ import annotations

import os

import pytest

from tools import no_skips

# Before anything imports torch or a Hugging Face library.
for name, value in {
    "OMP_WAIT_POLICY": "PASSIVE",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MPLBACKEND": "Agg",
}.items():
    os.environ.setdefault(name, value)
os.environ.pop("LLMLAB_GRADEBOOK", None)  # an instructor's real gradebook is not for tests


def pytest_configure(config: pytest.Config) -> None:
    """Load the no-skips rule where it is asked for (LLMLAB_NO_SKIPS=1)."""
    if os.environ.get("LLMLAB_NO_SKIPS") == "1" and not config.pluginmanager.is_registered(no_skips):
        config.pluginmanager.register(no_skips)
