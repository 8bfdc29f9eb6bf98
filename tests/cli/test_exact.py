"""Counts are exact, and the process does not notice that it is read."""
import os
import shutil
import subprocess
import sys
import threading
import time

import pytest

from conftest import LIMIT, TSCAP

CALLS = 10_000_000
THREADS = 4


def leaf_calls(result):
    assert result.code == 0, result
    profile = result.json
    assert profile["lost"] == 0 and profile["complete"] is True
    return sum(site["calls"] for site in profile["sites"] if site["qualname"] == "leaf")


@pytest.mark.parametrize("read_meanwhile", [False, True], ids=["unread", "read in a loop"])
def test_ten_million_calls_in_four_threads(tscap, app, read_meanwhile):
    tscap("start", app.pid)
    app.tell("ts = [threading.Thread(target=parent, args=(%d,)) for _ in range(%d)]" % (CALLS // THREADS, THREADS))
    app.expect("done")
    app.tell("[t.start() for t in ts]; [t.join() for t in ts]")
    seen = []
    working = threading.Thread(target=app.expect, args=("done",))
    working.start()
    while working.is_alive():
        if read_meanwhile:
            seen.append(leaf_calls(tscap("dump", app.pid, "--json")))
        else:
            working.join(0.1)
    assert leaf_calls(tscap("dump", app.pid, "--json")) == CALLS
    assert seen == sorted(seen)


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_the_process_does_nothing_while_it_is_read(tscap, recorded, tmp_path):
    log = tmp_path / "strace"
    tracer = subprocess.Popen(["strace", "-f", "-p", str(recorded.pid), "-o", str(log)], stderr=subprocess.PIPE, text=True)
    try:
        if "attached" not in tracer.stderr.readline():
            pytest.skip("not permitted to trace")
        for _ in range(5):  # once a minute its listener wakes by itself
            quiet = wait_until_quiet(log, len(os.listdir("/proc/%d/task" % recorded.pid)))
            for arguments in (["dump"], ["dump", "--json"], ["top", "-b", "2", "-d", "0.1"]):
                assert subprocess.run([TSCAP, *arguments, str(recorded.pid)], stdout=subprocess.DEVNULL).returncode == 0
            time.sleep(0.1)
            if log.read_text() == quiet:
                break
        assert log.read_text() == quiet
    finally:
        tracer.terminate()
        tracer.communicate()


def wait_until_quiet(log, threads):
    """The calls in which its threads wait are shown when tracing begins, a line each."""
    before = None
    deadline = time.monotonic() + LIMIT
    while before is None or len(before.splitlines()) < threads or log.read_text() != before:
        assert time.monotonic() < deadline, before
        before = log.read_text() if log.exists() else ""
        time.sleep(0.3)
    return before


def test_repeated_reading_of_the_same_gives_the_same(tscap, recorded):
    tscap("stop", recorded.pid)
    results = [tscap("dump", recorded.pid, "--json").json for _ in range(3)]
    ticks = [[(site["calls"], site["inclusive_ticks"], site["cpu_ticks"]) for site in result["sites"]] for result in results]
    assert ticks[0] == ticks[1] == ticks[2]
    assert sys.maxsize > sum(entry[1] for entry in ticks[0]) > 0
