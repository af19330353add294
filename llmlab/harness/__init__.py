"""Runs a student's file in a process of its own and judges what comes back.

The notebook, `llmlab check`, `--watch`, pytest and the autograder all use this one harness: `runner.check_source`.
It knows the checks; the grading (class, ledger, nbgrader) knows it, never the other way round.
"""
