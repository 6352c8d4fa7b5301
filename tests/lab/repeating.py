"""Repeats a lab test once, on a mended lab, when it failed for a wait or a tool: printed as FLAKY, and counted.

A busy machine lets a wait run out that has nothing to do with what the test is about. Such a test is attempted a second
time, and passes as *flaky*, with what both attempts said. More than one flaky test fails the run: then it is no accident. A
broken invariant (``tests.lab.invariants``) is final at once, in whichever phase of the test it was found, and so is a test
that fails twice.
"""

from __future__ import annotations

import copy
from collections.abc import Generator
from typing import Any

import pytest
from _pytest.outcomes import Exit
from _pytest.runner import call_and_report

from tests.lab.invariants import BrokenInvariantError

ATTEMPT = pytest.StashKey[int]()
"""Of a test: which attempt this is, 1 or 2."""
_LIMIT = pytest.StashKey[Any]()
_FORGOTTEN = pytest.StashKey[set[Any]]()
_MOST = 1
_FLAKY = "flaky"


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Attempt a lab test, and attempt it again if that may help."""
    if item.get_closest_marker("lab") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = _attempt(item, 1)
    if _is_worth_another(reports):
        first, reports = reports, _again(item)
        _tell_both(first, reports)
    reports += _take_down(item, nextitem)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _attempt(item: pytest.Item, number: int) -> list[pytest.TestReport]:
    """Return the reports of one attempt. What is shared by tests stays, as for another test of the same module."""
    item.stash[ATTEMPT] = number
    item._initrequest()  # type: ignore[attr-defined]
    reports = [call_and_report(item, "setup", log=False)]
    if reports[0].passed and not item.config.getoption("setuponly", default=False):
        reports.append(call_and_report(item, "call", log=False))
    return [*reports, call_and_report(item, "teardown", log=False, nextitem=copy.copy(item))]


def _again(item: pytest.Item) -> list[pytest.TestReport]:
    """Attempt it a second time, in the same time limit, which begins anew."""
    _forget_failed_fixtures(item)
    if (limit := item.stash.get(_LIMIT, None)) is not None:
        item.config.hook.pytest_timeout_cancel_timer(item=item)
        item.config.hook.pytest_timeout_set_timer(item=item, settings=limit)
    return _attempt(item, 2)


def _forget_failed_fixtures(item: pytest.Item) -> None:
    """Let what tests share and could not be made be made again, once: a lab that never comes up is not worth each test's."""
    forgotten = item.session.stash.setdefault(_FORGOTTEN, set())
    for definitions in item._fixtureinfo.name2fixturedefs.values():  # type: ignore[attr-defined]
        for definition in definitions:
            failed = definition.cached_result is not None and definition.cached_result[2] is not None
            if failed and definition not in forgotten:
                forgotten.add(definition)
                definition.finish(item._request)  # type: ignore[attr-defined]


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> None:
    """Remember the time limit."""
    item.stash[_LIMIT] = settings


def _take_down(item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
    """End what the next test does not share; return the report if that failed. The test's own end has been seen to."""

    def end() -> None:
        item.session._setupstate.teardown_exact(nextitem)

    call = pytest.CallInfo.from_call(end, when="teardown", reraise=(Exit, KeyboardInterrupt))
    report = item.ihook.pytest_runtest_makereport(item=item, call=call)
    return [report] if report.failed else []


def _is_worth_another(reports: list[pytest.TestReport]) -> bool:
    failed = [report for report in reports if report.failed]
    return bool(failed) and not any(report.invariant for report in failed)


def _tell_both(first: list[pytest.TestReport], second: list[pytest.TestReport]) -> None:
    """Mark the second attempt as flaky if it passed; let it carry what the first one said in any case."""
    failed = [report for report in second if report.failed]
    said = [("first attempt", _words(first)), ("second attempt", _words(second))]
    if failed:
        failed[0].sections.append(said[0])
        return
    told = next(report for report in second if report.when == "call" or report.skipped)
    told.flaky = said  # type: ignore[attr-defined]


def _words(reports: list[pytest.TestReport]) -> str:
    """Return how an attempt failed, and everything that it printed."""
    words = [f"{report.when} failed\n{report.longreprtext}" for report in reports if report.failed]
    sections = dict(section for report in reports for section in report.sections)
    return "\n".join([*words, *(f"--- {title}\n{text.rstrip()}" for title, text in sections.items())]) or "passed"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[Any]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say of each report whether an invariant was broken."""
    report = yield
    report.invariant = call.excinfo is not None and _breaks(call.excinfo.value)  # type: ignore[attr-defined]
    return report


def _breaks(error: BaseException) -> bool:
    """Whether a broken invariant is, or has led to, or came before ``error``; chains may lead back to themselves."""
    chain: list[BaseException] = [error]
    for one in chain:
        parts = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        chain += [other for other in (one.__cause__, one.__context__, *parts) if other is not None and other not in chain]
    return any(isinstance(one, BrokenInvariantError) for one in chain)


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Count a flaky test as such in the closing line."""
    return (_FLAKY, "R", "FLAKY") if hasattr(report, "flaky") else None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print both attempts of each."""
    found = terminalreporter.stats.get(_FLAKY, [])
    for report in found:
        terminalreporter.section(f"FLAKY {report.nodeid}", yellow=True)
        for title, text in report.flaky:
            terminalreporter.section(title, sep="-")
            terminalreporter.line(text)
    if len(found) > _MOST:
        terminalreporter.section(f"{len(found)} flaky tests: more than {_MOST} fails the run", red=True)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let more than one flaky test fail the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    found = reporter.stats.get(_FLAKY, []) if reporter else []
    if len(found) > _MOST and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
