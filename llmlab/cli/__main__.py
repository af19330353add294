"""`python -m llmlab.cli` is the same as `python -m llmlab`."""

import runpy

runpy.run_module("llmlab", run_name="__main__")
