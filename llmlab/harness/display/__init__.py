"""The student's side of the display run: runs the code cells of one notebook in order and hands back their
outputs.

It is for the eyes only: nothing that happens here is a score, no check runs here, and test cells never come
here. What it hands back is not trusted: `llmlab.grading.display` examines every output again.

    in   {"op": "run", "modules": {"decoding": bytes}, "cells": [{"id", "source"}], "seconds": 15.0}
    out  {"id", "outputs": [...]} after each cell; at last {"done": True}
"""

from llmlab.harness.display.run import main, prepare

__all__ = ["main", "prepare"]
