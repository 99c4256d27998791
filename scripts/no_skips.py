"""A pytest plugin: in CI (CI=true) a skipped test fails the run, elsewhere it is said loudly at the end."""

from __future__ import annotations

import os

import pytest

IN_CI = os.environ.get("CI") == "true"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Runs in every process of pytest-xdist; only the one that reports knows what was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", [])) if reporter else 0
    if skipped and IN_CI and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = len(terminalreporter.stats.get("skipped", []))
    if skipped:
        rule = " CI allows none, so this run failed." if IN_CI else ""
        terminalreporter.write_line(
            f"NOT TESTED: {skipped} skipped, listed above.{rule}", red=True, bold=True
        )
