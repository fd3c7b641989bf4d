"""Skips that are decisions: with --only-known-skips, any other one fails the run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

LIST = Path(__file__).parents[1] / "skips.txt"
OPTION = "--only-known-skips"


class OnlyKnown:
    """Collects what was skipped, and why."""

    def __init__(self) -> None:
        lines = LIST.read_text(encoding="utf-8").splitlines()
        self.known = [line.rpartition(" | ")[2] for line in lines if not line.startswith("#")]
        self.unknown: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Look at a test."""
        self._look_at(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Look at a file, which may be skipped whole."""
        self._look_at(report)

    def _look_at(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        reason = report.longrepr[2] if report.skipped else ""
        if reason and not any(re.search(pattern, reason) for pattern in self.known):
            self.unknown[report.nodeid] = reason

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that is otherwise well."""
        if self.unknown and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name what was skipped and is not in the list."""
        if self.unknown:
            terminalreporter.section(f"skipped, and not in {LIST.name}", red=True)
        for test, reason in self.unknown.items():
            terminalreporter.line(f"{test}: {reason}")
