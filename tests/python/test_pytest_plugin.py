"""The pytest plugin, in a pytest of its own."""
import json
import os
import re
import subprocess

import pytest

import timestamp_capture
from reading import FROM_OUTSIDE

needs_compiled = pytest.mark.skipif(not FROM_OUTSIDE, reason="captures need the compiled recorder")

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


# ---- captures, and baselines ----


def names_in(folder):
    return sorted(re.sub("-[0-9a-f]{8}.tscap$", "", path.name) for path in folder.iterdir())


CALLS = """
def test_slow(): sleeps(PAUSE)

@pytest.mark.parametrize("text", ["a/b", "a b"])
def test_text(text): quick()

class TestClass:
    def test_method(self): quick(); quick()

def test_calls_nothing(): pass
"""


@needs_compiled
def test_a_capture_of_each_test_that_calls_something(run, pytester):
    result = run(CALLS.replace("PAUSE", "0.001"), "--tscap-capture", "new/captures")
    result.assert_outcomes(passed=5)
    folder = pytester.path / "new" / "captures"
    file = "test_a_capture_of_each_test_that_calls_something.py"
    assert names_in(folder) == [f"{file}-TestClass-test_method", f"{file}-test_slow", f"{file}-test_text-a-b", f"{file}-test_text-a-b"]
    (path,) = folder.glob("*test_method*")
    dumped = json.loads(subprocess.run([os.environ["TSCAP"], "dump", "--json", path], capture_output=True, check=True).stdout)
    assert {site["name"]: site["calls"] for site in dumped["sites"] if site["calls"]} == {"quick": 2}
    assert [consumer["name"] for consumer in dumped["view"]["consumers"]] == ["test_method"]


@needs_compiled
def test_captures_are_those_of_the_latest_run(run, pytester):
    run("def test_one(): quick()", "--tscap-capture", "captures").assert_outcomes(passed=1)
    (path,) = (pytester.path / "captures").iterdir()
    before = path.read_bytes()
    run("def test_one(): quick(); quick()", "--tscap-capture", "captures").assert_outcomes(passed=1)
    assert [path] == list((pytester.path / "captures").iterdir()) and path.read_bytes() != before
    run("def test_one(): pass", "--tscap-capture", "captures").assert_outcomes(passed=1)
    assert list((pytester.path / "captures").iterdir()) == []


@pytest.fixture
def with_program(monkeypatch):
    monkeypatch.setenv("PATH", os.path.dirname(os.environ["TSCAP"]), prepend=os.pathsep)


@needs_compiled
def test_what_takes_longer_fails(run, pytester, with_program):
    run(CALLS.replace("PAUSE", "0.001"), "--tscap-capture", "before").assert_outcomes(passed=5)
    same = run(CALLS.replace("PAUSE", "0.001"), "--tscap-baseline", "before", "--tscap-fail-over", "100000%", "-k", "slow or nothing")
    same.assert_outcomes(passed=2, deselected=3)
    result = run(CALLS.replace("PAUSE", "0.3"), "--tscap-baseline", "before", "--tscap-fail-over", "100%", "-k", "slow")
    result.assert_outcomes(failed=1, deselected=4)
    result.stdout.fnmatch_lines(["slower than the baseline: sleeps: [3-9]??.* ms of its own per call, was *.* ms (+* %, limit 100%)"])
    assert {path.parent.name for path in pytester.path.rglob("*.tscap")} == {"before"}, "nothing else was left"


@needs_compiled
def test_baselines_of_several_runs(run, pytester, with_program):
    for name in ("first", "second"):
        run(CALLS.replace("PAUSE", "0.001"), "--tscap-capture", f"before/{name}").assert_outcomes(passed=5)
    result = run(CALLS.replace("PAUSE", "0.3"), "--tscap-baseline", "before", "--tscap-capture", "after", "--tscap-fail-over", "100%", "-k", "slow")
    result.assert_outcomes(failed=1, deselected=4)
    assert len(names_in(pytester.path / "after")) == 1


@needs_compiled
def test_a_test_that_is_new_passes_and_a_failure_stays_what_it_is(run, pytester, with_program):
    run("def test_one(): sleeps(0.001)", "--tscap-capture", "before").assert_outcomes(passed=1)
    result = run("""
def test_one():
    sleeps(0.2)
    raise KeyError("own")

def test_new(): quick()
""", "--tscap-baseline", "before")
    result.assert_outcomes(passed=1, failed=1)
    assert "KeyError: 'own'" in result.stdout.str() and "slower than" not in result.stdout.str()
    result.stdout.fnmatch_lines(["tscap: no capture of 1 tests in */before: --tscap-capture */before adds them"])


@needs_compiled
def test_names_in_a_locale_that_has_no_words_for_them(run, pytester, with_program, monkeypatch):
    source = """
@timestamp("größe")
def size(seconds): sleeps(seconds)

def test_one(): size(PAUSE)
"""
    run(source.replace("PAUSE", "0.001"), "--tscap-capture", "before").assert_outcomes(passed=1)
    for name, value in [("LC_ALL", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0")]:
        monkeypatch.setenv(name, value)
    result = run(source.replace("PAUSE", "0.3"), "--tscap-baseline", "before", "--tscap-fail-over", "100%")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["slower than the baseline: *sleeps: [3-9]??.* ms of its own per call, was *"])


@needs_compiled
def test_a_capture_that_cannot_be_removed_is_told(run, pytester):
    run("def test_one(): quick()", "--tscap-capture", "captures").assert_outcomes(passed=1)
    (path,) = (pytester.path / "captures").iterdir()
    path.unlink()
    path.mkdir()
    result = run("def test_one(): pass", "--tscap-capture", "captures")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["its capture cannot be kept or compared: *Is a directory*; choose another folder"])
    result = run("def test_one(): raise KeyError('own')", "--tscap-capture", "captures")
    result.assert_outcomes(failed=1)
    assert "KeyError: 'own'" in result.stdout.str() and "cannot be kept" not in result.stdout.str()


@needs_compiled
def test_a_baseline_that_cannot_be_read_is_told(run, pytester, with_program):
    run("def test_one(): quick()", "--tscap-capture", "before").assert_outcomes(passed=1)
    (path,) = (pytester.path / "before").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    result = run("def test_one(): quick()", "--tscap-baseline", "before")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*tscap: there is nothing to show in */before/*"])


@needs_compiled
@pytest.mark.parametrize(
    "options, why",
    [
        (["--tscap-baseline", "nowhere"], "*/nowhere is no folder; make it with --tscap-capture */nowhere*"),
        (["--tscap-baseline", ".", "--tscap-capture", "../" + "{here}"], "*are the same folder: choose another*"),
        (["--tscap-capture", "file/captures"], "*cannot make */file/captures: Not a directory; choose another folder*"),
        (["--tscap-fail-over", "10"], "*must be a percentage up to 100000%, for instance 10%, not '10'*"),
        (["--tscap-fail-over", "100001%"], "*must be a percentage up to 100000%*"),
    ],
)
def test_folders_that_cannot_be_meant(run, pytester, options, why, with_program):
    (pytester.path / "file").write_text("")
    result = run("def test_one(): quick()", *(option.format(here=pytester.path.name) for option in options))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([why])


@needs_compiled
def test_without_the_command_there_is_no_comparison(run, pytester, monkeypatch):
    monkeypatch.setenv("PATH", str(pytester.path))
    result = run("def test_one(): quick()", "--tscap-baseline", ".")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*needs the program tscap, which is not in PATH: make install, or *"])


def test_without_the_compiled_recorder_there_are_no_captures(run, monkeypatch):
    monkeypatch.setenv("TSCAP_PURE", "1")
    result = run("def test_one(): quick()", "--tscap-capture", "captures")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*need the compiled recorder: TSCAP_PURE is set*"])


@needs_compiled
def test_workers_of_xdist_write_and_compare(run, pytester, with_program):
    pytest.importorskip("xdist")
    run(CALLS.replace("PAUSE", "0.001"), "--tscap-capture", "before", "-n", "2").assert_outcomes(passed=5)
    assert len(names_in(pytester.path / "before")) == 4
    result = run(CALLS.replace("PAUSE", "0.001"), "--tscap-baseline", "before", "--tscap-fail-over", "100000%", "-n", "2", "-k", "slow or nothing")
    result.assert_outcomes(passed=2)
    slower = run(CALLS.replace("PAUSE", "0.3"), "--tscap-baseline", "before", "--tscap-fail-over", "100%", "-n", "2", "-k", "slow")
    slower.assert_outcomes(failed=1)
    new = run(CALLS.replace("PAUSE", "0.001") + "\ndef test_new(): quick()\n", "--tscap-baseline", "before", "-n", "2", "-k", "new")
    new.assert_outcomes(passed=1)
    new.stdout.fnmatch_lines(["tscap: no capture of 1 tests in */before*"])
