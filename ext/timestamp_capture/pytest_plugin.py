"""pytest: the slowest functions of each test (``--tscap``), a collector around a test (the fixture ``timestamp_collector``), and
budgets that fail it (the mark ``tscap_budget``).

    @pytest.mark.tscap_budget("parse", avg_ms=2, calls=10)
    def test_import(timestamp_collector):
        load("file")
        timestamp_collector.assert_budget(total_ms=50)
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Generator, List, Tuple

import pytest

from .budget import over_budget
from .collector import Timestamp_Collector

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

MARK = "tscap_budget"
FIXTURE = "timestamp_collector"
PROPERTY = "tscap"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tscap", "exact timings of decorated code")
    group.addoption("--tscap", action="store_true", help="show the decorated functions of each test that took most time of their own")
    group.addoption("--tscap-rows", metavar="N", type=_count, default=5, help="that many of each test (5)")
    group.addoption(
        "--tscap-budget",
        metavar="NAME=MS",
        action="append",
        type=_budget,
        default=[],
        help="fail tests in which a call of NAME (with wildcards) took longer; may be given several times",
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a number of rows, 1 or more, not {text!r}")
    return int(text)


def _budget(text: str) -> Tuple[str, float]:
    name, _, limit = text.rpartition("=")
    try:
        ms = float(limit)
    except ValueError:
        ms = -1
    if not name or not ms >= 0:
        raise argparse.ArgumentTypeError(f"must be NAME=MS, for instance parse=2.5, not {text!r}")
    return name, ms


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARK}(name, total_ms, self_ms, avg_ms, max_ms, calls): fail the test if calls of that name are over these limits")


def _is_wanted(item: pytest.Item) -> bool:
    options = item.config.option
    return bool(options.tscap or options.tscap_budget or item.get_closest_marker(MARK) or FIXTURE in getattr(item, "fixturenames", ()))


def _collector_of(item: Any) -> Timestamp_Collector:
    if not hasattr(item, "_tscap_collector"):
        item._tscap_collector = Timestamp_Collector(item.name)
    collector: Timestamp_Collector = item._tscap_collector
    return collector


@pytest.fixture
def timestamp_collector(request: pytest.FixtureRequest) -> Timestamp_Collector:
    """The collector that encloses this test's own code (not its fixtures)."""
    return _collector_of(request.node)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: Any) -> Generator[None, Any, None]:
    """The test's function is called by a frame that has entered its collector."""
    if not _is_wanted(item) or not hasattr(item, "obj"):
        yield
        return
    collector = _collector_of(item)
    function = item.obj
    item.obj = collector.bind(function)
    try:
        outcome = yield
    finally:
        item.obj = function
    item.user_properties.append((PROPERTY, [t.json() for t in collector.get_hotspots(item.config.option.tscap_rows)]))
    over = _all_over(item, collector)
    if over and outcome.excinfo is None:
        outcome.force_exception(pytest.fail.Exception("over budget: " + "; ".join(over), pytrace=False))


def _all_over(item: Any, collector: Timestamp_Collector) -> List[str]:
    over: List[str] = []
    for mark in item.iter_markers(MARK):
        over += over_budget(collector, *mark.args, **mark.kwargs)
    called = collector.get_method_timings()
    for name, limit in item.config.option.tscap_budget:
        if called:
            over += [line for line in over_budget(collector, name, max_ms=limit) if not line.endswith("no call was recorded")]
    return over


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    if not config.option.tscap:
        return
    terminalreporter.section("slowest functions per test (tscap)")
    for reports in terminalreporter.stats.values():
        for report in reports:
            rows = dict(getattr(report, "user_properties", ())).get(PROPERTY)
            if rows and getattr(report, "when", "") == "call":
                terminalreporter.write_line(report.nodeid)
                for row in rows:
                    own, total = row["self_ns"] / 1e6, row["total_ns"] / 1e6
                    terminalreporter.write_line(f"  {own:>10.3f} ms own {total:>10.3f} ms in all {row['call_count']:>7} calls  {row['name']}")
