"""Puts a fork into the sandbox: what was prepared before the fork is bound to it after the fork."""

from __future__ import annotations

import os

from llmlab.harness.sandbox import landlock, limits, seccomp
from llmlab.harness.sandbox.paths import readable


class Sandbox:
    """Prepared once, in the warm process; entered in each of its forks."""

    def __init__(self):
        self.rules = landlock.rules(readable())
        self.library = seccomp.prepare()

    def enter(self, keep: int) -> None:
        """Confine this process for good. Only the descriptor `keep` stays open beside 0, 1 and 2 (the null device).

        What this machine does not have is left out; `proof` finds out what that costs. Raises OSError if a mechanism that
        is there does not take effect: the fork must then end.
        """
        limits.new_session()
        limits.close_all_but(keep, *([self.rules] if self.rules is not None else []))
        limits.apply()
        limits.drop_privileges()
        if self.rules is not None:
            landlock.restrict(self.rules)
            os.close(self.rules)
        if self.library is not None:
            seccomp.restrict(self.library)
