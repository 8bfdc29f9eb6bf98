"""pytest: the slowest functions of each test (``--tscap``), a collector around a test (the fixture ``timestamp_collector``),
budgets that fail it (the mark ``tscap_budget``), a capture of each test (``--tscap-capture``), and a comparison with those of an earlier
run that fails it (``--tscap-baseline``).

    @pytest.mark.tscap_budget("parse", avg_ms=2, calls=10)
    def test_import(timestamp_collector):
        load("file")
        timestamp_collector.assert_budget(total_ms=50)
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generator, List, Optional, Tuple

import pytest

from . import _pytest_captures as captures
from . import _select
from .budget import over_budget
from .captures import Capture_Error
from .collector import Timestamp_Collector

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

MARK = "tscap_budget"
FIXTURE = "timestamp_collector"
PROPERTY = "tscap"
MOST = 100_000  # per cent that `tscap diff --fail-over` takes
COMPARED = "tscap_baseline"  # how many captures a test was compared with


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
    group.addoption("--tscap-capture", metavar="DIR", help="write a capture of each test that calls something decorated there")
    group.addoption("--tscap-baseline", metavar="DIR", help="compare each test with its capture there; fail those that became slower")
    group.addoption(
        "--tscap-fail-over", metavar="N%", type=_share, default="10%", help="with --tscap-baseline: by more than that, per call of a function (10%%)"
    )


def _share(text: str) -> str:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?%", text) or float(text[:-1]) > MOST:
        raise argparse.ArgumentTypeError(f"must be a percentage up to {MOST}%, for instance 10%, not {text!r}")
    return text


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
    limits = "name, total_ms, self_ms, avg_ms, max_ms, elapsed_ms, calls"
    config.addinivalue_line("markers", f"{MARK}({limits}): fail the test if calls of that name are over these limits")
    _prepare_captures(config)


def _prepare_captures(config: pytest.Config) -> None:
    """Options become what workers of pytest-xdist need: paths that hold wherever they run."""
    option, here = config.option, config.invocation_params.dir
    if not (option.tscap_capture or option.tscap_baseline):
        return
    if _select.reason:
        raise pytest.UsageError(f"--tscap-capture and --tscap-baseline need the compiled recorder: {_select.reason}")
    if option.tscap_baseline:
        option.tscap_baseline = str(here / option.tscap_baseline)
        if not Path(option.tscap_baseline).is_dir():
            raise pytest.UsageError(f"--tscap-baseline: {option.tscap_baseline} is no folder; make it with --tscap-capture {option.tscap_baseline}")
        if option.tscap_capture and (here / option.tscap_capture).resolve() == Path(option.tscap_baseline).resolve():
            raise pytest.UsageError("--tscap-capture and --tscap-baseline are the same folder: choose another one for the new captures")
        if not captures.find_program():
            raise pytest.UsageError("--tscap-baseline needs the program tscap, which is not in PATH: make install, or add its folder to PATH")
    if option.tscap_capture:
        option.tscap_capture = str(here / option.tscap_capture)
        try:
            Path(option.tscap_capture).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise pytest.UsageError(f"--tscap-capture: cannot make {option.tscap_capture}: {error.strerror}; choose another folder") from error


def _is_wanted(item: pytest.Item) -> bool:
    options = item.config.option
    asked = options.tscap or options.tscap_budget or options.tscap_capture or options.tscap_baseline
    return bool(asked or item.get_closest_marker(MARK) or FIXTURE in getattr(item, "fixturenames", ()))


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
    problem = _problem(item, collector, outcome.excinfo is None)
    if problem and outcome.excinfo is None:
        outcome.force_exception(pytest.fail.Exception(problem, pytrace=False))


def _problem(item: Any, collector: Timestamp_Collector, passed: bool) -> str:
    """Why the test fails, though its code has not; "": it does not."""
    over = _all_over(item, collector)
    try:
        slower = _captured(item, collector, passed)
    except (Capture_Error, captures.Comparison_Error) as error:
        return str(error)
    except OSError as error:
        return f"its capture cannot be kept or compared: {error}; choose another folder"
    return "over budget: " + "; ".join(over) if over else "slower than the baseline: " + "; ".join(slower) if slower else ""


def _captured(item: Any, collector: Timestamp_Collector, passed: bool) -> List[str]:
    option = item.config.option
    if option.tscap_capture:
        return _compared(item, captures.save(collector, Path(option.tscap_capture), item.nodeid), passed)
    if not option.tscap_baseline:
        return []
    with tempfile.TemporaryDirectory() as folder:
        return _compared(item, captures.save(collector, Path(folder), item.nodeid), passed)


def _compared(item: Any, capture: Optional[Path], passed: bool) -> List[str]:
    """What became slower. A test that fails by itself is not compared."""
    option = item.config.option
    program = captures.find_program()
    if not (option.tscap_baseline and capture and passed and program):
        return []
    before = captures.baselines(Path(option.tscap_baseline), item.nodeid)
    item.user_properties.append((COMPARED, len(before)))
    return captures.slower(program, before, capture, option.tscap_fail_over) if before else []


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
    if config.option.tscap_baseline:
        _tell_missing(terminalreporter, config.option.tscap_baseline)
    if config.option.tscap:
        _tell_slowest(terminalreporter)


def _tell_missing(terminalreporter: TerminalReporter, folder: str) -> None:
    """Tests that are new pass, and that is said."""
    called = [dict(r.user_properties) for reports in terminalreporter.stats.values() for r in reports if getattr(r, "when", "") == "call"]
    missing = sum(properties.get(COMPARED) == 0 for properties in called)
    if missing:
        terminalreporter.write_line(f"tscap: no capture of {missing} tests in {folder}: --tscap-capture {folder} adds them")


def _tell_slowest(terminalreporter: TerminalReporter) -> None:
    terminalreporter.section("slowest functions per test (tscap)")
    for reports in terminalreporter.stats.values():
        for report in reports:
            rows = dict(getattr(report, "user_properties", ())).get(PROPERTY)
            if rows and getattr(report, "when", "") == "call":
                terminalreporter.write_line(report.nodeid)
                for row in rows:
                    own, total = row["self_ns"] / 1e6, row["total_ns"] / 1e6
                    terminalreporter.write_line(f"  {own:>10.3f} ms own {total:>10.3f} ms in all {row['call_count']:>7} calls  {row['name']}")
