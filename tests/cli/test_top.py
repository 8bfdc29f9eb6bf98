"""Batch tables at an interval."""
import re
import signal
import subprocess
import sys
import time

import pytest

from conftest import LIMIT, TSCAP, mask
from terminal import eventually


def tables_of(result):
    return [table.splitlines() for table in result.out.rstrip("\n").split("\n\n")]


@pytest.fixture
def busy(app, tscap):
    app.do("in_background(lambda: (parent(3), time.sleep(0.001)))")
    assert tscap("start", app.pid).code == 0
    return app


def test_tables_at_an_interval(tscap, busy):
    began = time.monotonic()
    result = tscap("top", "-b", 3, "-d", "0.5", busy.pid)
    assert time.monotonic() - began >= 1.5
    assert result.code == 0 and result.err == ""
    assert len(tables_of(result)) == 3
    for table in tables_of(result):
        assert re.fullmatch(r"%d .*app\.py" % busy.pid, table[0])
        heading = (
            r"Python %d\.%d\.\S+, recording, 1 thread, [0-9.]+ calls/s, recording costs [0-9.]+ %% of a CPU, lost 0" % sys.version_info[:2]
        )
        assert re.fullmatch(heading, table[1])
        assert table[2].split() == "calls calls/s inclusive exclusive % mean CPU open suspended name".split()
        assert {re.sub(r" \(.*", "", line.split("  ")[-1]) for line in table[3:]} == {"leaf", "parent"}
        for line in table[3:]:
            assert re.fullmatch(r" ?[0-9]+ (F|[0-9]+) T T F T T [01] 0 (leaf|parent) \(\S+:[0-9]+\)", mask(line)), line


def test_tables_fit_their_width_and_have_the_columns_that_are_asked_for(tscap, busy):
    result = tscap("top", "-b", 2, "-d", "0.2", "-w", 60, "-o", "elapsed", busy.pid)
    assert result.code == 0 and max(map(len, result.out.splitlines())) <= 60, result
    assert all(any(re.search(r"leaf \(\S*app\.py:[0-9]+\)$", line) for line in table) for table in tables_of(result)), result
    assert all(any("elapsed" in line.split() for line in table) for table in tables_of(result)), result
    chosen = tscap("top", "-b", 1, "-d", "0.2", "-c", "rate,calls", busy.pid)
    assert tables_of(chosen)[0][2].split() == ["calls/s", "calls", "name"]
    assert "p99" not in tscap("top", "-b", 1, "-c", "p99", busy.pid).is_error(2).err.split("this table has")[1]


def test_values_are_of_the_interval(tscap, app, tables):
    tscap("start", app.pid)
    app.do("parent(1000)")
    top = tables("-d", "0.2", app.pid)
    app.do("parent(7)")
    top.read_until({"leaf": 7, "parent": 1})
    app.do("parent(8)")
    top.read_until({"leaf": 15, "parent": 2})


def test_a_reset_in_between_does_not_make_nonsense(tscap, app, tables):
    tscap("start", app.pid)
    app.do("parent(1000)")
    top = tables("-d", "0.2", app.pid)
    assert tscap("reset", app.pid).code == 0
    app.do("parent(5)")
    top.read_until({"leaf": 5, "parent": 1})


def test_limit_and_sort(tscap, recorded):
    recorded.do("in_background(lambda: (parent(3), fib(3), time.sleep(0.001)))")
    result = tscap("top", "-b", 1, "-d", "1", "-n", 1, "-o", "calls", recorded.pid)
    assert len(re.findall(r"\.py:[0-9]+\)$", result.out, re.M)) == 1
    assert "2 more not shown (--limit)" in result.out


def test_tables_come_one_by_one(busy):
    """Not all at the end, even into a pipe."""
    process = subprocess.Popen([TSCAP, "top", "-b", "100", "-d", "0.1", str(busy.pid)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("%d " % busy.pid)
    process.terminate()
    process.communicate()
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize("how", ["end", "kill"])
def test_a_process_that_ends_meanwhile(busy, how):
    process = subprocess.Popen(
        [TSCAP, "top", "-b", "1000", "-d", "0.1", str(busy.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    busy.do("import os; sys.stdin.close" if how == "end" else "pass")
    if how == "end":
        busy.process.stdin.close()
        busy.process.wait()
    else:
        busy.kill()
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert err == "tscap: process %d has ended\n" % busy.pid


def test_a_process_that_takes_its_time_to_end(busy):
    """Its segment goes at the beginning of its end."""
    process = subprocess.Popen(
        [TSCAP, "top", "-b", "1000", "-d", "0.05", str(busy.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    busy.do("sys.modules['slow'] = type('Slow', (), {'__del__': lambda self, sleep=time.sleep: sleep(1)})()")
    busy.end()
    _, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, err) == (0, "tscap: process %d has ended\n" % busy.pid)


def test_a_segment_that_goes_meanwhile(busy, run_directory):
    process = subprocess.Popen(
        [TSCAP, "top", "-b", "1000", "-d", "0.05", str(busy.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    (segment,) = run_directory.glob("*.tscap")
    segment.unlink()
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 3
    assert err.startswith("tscap: process %d cannot be shown any more\n" % busy.pid)


def test_a_dormant_process(tscap, app):
    result = tscap("top", "-b", 1, "-d", "0.05", app.pid)
    assert result.code == 0
    assert "dormant" in result.out


def exact(profile):
    """What does not change with the clock's rate, which is measured anew at each look."""
    return [{key: value for key, value in site.items() if not key.endswith("_ns")} for site in profile["sites"]]


def test_two_terminals(tscap, app):
    """One starts, watches, looks and stops, while the other works."""
    app.do("in_background(lambda: Worker().run())")
    assert tscap("start", "app.py").code == 0
    assert len(tables_of(tscap("top", "-b", 2, "-d", "0.1", "app.py"))) == 2

    def calls():
        return sum(site["calls"] for site in tscap("dump", "app.py", "--json").json["sites"])

    running = eventually(calls, bool)
    eventually(calls, lambda now: now > running)
    assert tscap("stop", "app.py").code == 0
    stopped = tscap("dump", "app.py", "--json").json
    time.sleep(0.05)
    later = tscap("dump", "app.py", "--json").json
    assert exact(later) == exact(stopped)
    sites = {site["qualname"] or site["name"]: site for site in stopped["sites"]}
    assert sites["leaf"]["calls"] == 3 * sites["parent"]["calls"] or sites["parent"]["open"]
