"""A pytest plugin: with LLMLAB_NO_SKIPS=1, a skipped test fails the run unless it is marked `gpu`.

CI sets the variable, because a machine that has everything must run everything; a laptop without a browser
may skip.  An xfail counts as a skip.  Single results do not change: the tests keep their outcome, the run's
exit status changes, and a section above pytest's closing line lists what was skipped.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

GPU = ("llmlab", "gpu")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note the `gpu` mark in the report, which travels from an xdist worker to the process that counts."""
    report = yield
    if item.get_closest_marker("gpu") is not None and GPU not in report.user_properties:
        report.user_properties.append(GPU)
    return report


def refused(stats: dict[str, list]) -> list[str]:
    """`test: reason` for each skip or xfail that is not a GPU test's, from pytest's statistics."""
    found = []
    for report in (*stats.get("skipped", ()), *stats.get("xfailed", ())):
        if GPU in map(tuple, getattr(report, "user_properties", ())):
            continue
        if hasattr(report, "wasxfail"):
            reason = f"expected to fail: {report.wasxfail}"
        else:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        found.append(f"{report.nodeid}: {reason}")
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a passing run with refused skips into a failed one.  An xdist worker decides nothing."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    counting = terminal is not None and not hasattr(session.config, "workerinput")
    if counting and refused(terminal.stats) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the refused skips above the closing line."""
    lines = refused(terminalreporter.stats)
    if lines:
        terminalreporter.section("LLMLAB_NO_SKIPS: these tests must run here", red=True)
        for line in lines:
            terminalreporter.write_line(line, red=True)
