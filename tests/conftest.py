"""What every test may use: the databases of devstack, started once a session when first asked for."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.support.order import rank
from tests.support.shares import summary

# Shared machines stall: what an example takes says nothing about the code.
settings.register_profile("causeway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("causeway")

pytest_plugins = ["devstack.fixtures"]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport:
    """The report of one phase of a test, made a second time where CPython's own fault spoils the first.

    CPython before 3.11.9 forgets to count back its depth when making a syntax tree fails, and then raises
    ``SystemError: AST constructor recursion depth mismatch`` (python/cpython issue 106905). pytest makes
    such trees to print a failure; without this one failure would end the whole run without its name.
    """
    try:
        return pytest.TestReport.from_item_and_call(item, call)
    except SystemError:
        return pytest.TestReport.from_item_and_call(item, call)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that no process of several is left with one at the end; the rest as it was."""
    items.sort(key=lambda item: rank(item.nodeid))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What share of its reads each suite has had answered by the store."""
    lines = summary(report for reports in terminalreporter.stats.values() for report in reports)
    if lines:
        terminalreporter.section("reads served from the store")
    for line in lines:
        terminalreporter.write_line(line)
