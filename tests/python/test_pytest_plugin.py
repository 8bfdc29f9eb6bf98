"""The pytest plugin, in a pytest of its own."""
import os

import pytest

import timestamp_capture

pytest_plugins = ["pytester"]

SLOW = """
import time
import pytest
from timestamp_capture import timestamp, timestamp_block

@timestamp("sleeps")
def sleeps(seconds):
    time.sleep(seconds)

@timestamp("quick")
def quick():
    pass
"""


@pytest.fixture
def run(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(os.path.abspath(timestamp_capture.__file__))))

    def run(source, *options):
        pytester.makepyfile(SLOW + source)
        return pytester.runpytest_subprocess("-p", "timestamp_capture.pytest_plugin", "-p", "no:cacheprovider", *options)

    return run


def test_fixture(run):
    result = run("""
def test_one(timestamp_collector):
    quick()
    quick()
    assert timestamp_collector.get_method_timings()["quick"].call_count == 2
    timestamp_collector.assert_budget("quick", calls=2)

def test_other(timestamp_collector):
    assert timestamp_collector.name == "test_other" and timestamp_collector.timings() == []

class TestMethod:
    def test_in_a_class(self, timestamp_collector):
        quick()
        assert timestamp_collector.entry_count() == 2
""")
    result.assert_outcomes(passed=3)
    assert "tscap" not in result.stdout.str()


def test_slowest_functions(run):
    result = run("""
import unittest

def test_slow():
    sleeps(0.02)
    quick()

@pytest.mark.parametrize("n", [1, 2])
def test_times(n):
    for _ in range(n):
        quick()

class Case(unittest.TestCase):
    def test_old(self):
        quick()

def test_fails():
    sleeps(0.001)
    assert False
""", "--tscap", "--tscap-rows=1")
    result.assert_outcomes(passed=4, failed=1)
    text = result.stdout.str()
    assert text.count(" ms own ") == 5
    result.stdout.fnmatch_lines(["*slowest functions per test (tscap)*", "*::test_slow", "* 1 calls  sleeps"])
    result.stdout.fnmatch_lines(["*::test_times?2?", "* 2 calls  quick"])
    result.stdout.fnmatch_lines(["*::test_old", "* 1 calls  quick"])


def test_what_follows_the_option_is_a_file(run):
    run("", "--tscap", "test_what_follows_the_option_is_a_file.py").assert_outcomes()
    result = run("def test_one(): quick()", "--tscap", "test_what_follows_the_option_is_a_file.py")
    result.assert_outcomes(passed=1)
    assert result.stdout.str().count(" ms own ") == 1


@pytest.mark.parametrize(
    "option, why",
    [
        ("--tscap-rows=x", "a number of rows, 1 or more, not 'x'"),
        ("--tscap-rows=0", "a number of rows"),
        ("--tscap-budget=parse", "NAME=MS"),
        ("--tscap-budget=a=b", "NAME=MS"),
        ("--tscap-budget=a=nan", "NAME=MS"),
    ],
)
def test_bad_options(run, option, why):
    result = run("", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*error: argument {option.split('=')[0]}: must be *{why}*"])


def test_budgets_fail(run):
    result = run("""
@pytest.mark.tscap_budget("quick", calls=1)
def test_within():
    quick()

@pytest.mark.tscap_budget("quick", calls=1)
def test_over():
    quick()
    quick()

@pytest.mark.tscap_budget(total_ms=0.001)
def test_in_all():
    sleeps(0.01)

@pytest.mark.tscap_budget("quick", calls=1)
def test_its_own_failure_counts():
    quick()
    quick()
    raise KeyError("own")
""")
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(["*over budget: quick: calls 2 > 1*"])
    assert result.stdout.str().count("over budget: ") >= 2 and "KeyError: 'own'" in result.stdout.str()


def test_budgets_by_option(run):
    result = run("""
def test_slow():
    sleeps(0.02)

def test_quick():
    quick()
""", "--tscap-budget", "slee*=5", "--tscap-budget", "never=1")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*over budget: sleeps: max_ms * > 5.0*"])



def test_async_tests_are_enclosed(run, pytester):
    pytester.makeconftest("""
import asyncio, inspect, pytest

@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}))
        return True
""")
    run("""
import asyncio

async def test_async(timestamp_collector):
    await asyncio.sleep(0)
    quick()
    assert timestamp_collector.get_method_timings()["quick"].call_count == 1
""").assert_outcomes(passed=1)
