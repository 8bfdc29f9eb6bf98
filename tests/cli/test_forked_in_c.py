"""Children that C code forks without Python's knowledge, as application servers do: no hook of fork runs in them, and they have a
copy of what their parent had."""
import os
import signal
import sys
import time

import pytest
from processes import needs_tracing, state

FORKS = """
import ctypes, os, sys, timestamp_capture
from timestamp_capture import Timestamp_Collector, timestamp
@timestamp
def work(): pass
if sys.argv[1:] == ["recorded"]: timestamp_capture.start()
work()
tasks, answers = os.pipe(), os.pipe()
pid = ctypes.PyDLL(None).fork()
if pid == 0:
    print(os.getpid(), flush=True)
    for line in os.fdopen(tasks[0]):
        exec(line)
        os.write(answers[1], b"done\\n")
else:
    os.close(tasks[0]), os.close(answers[1])
    said = os.fdopen(answers[0])
    for line in sys.stdin:
        os.write(tasks[1], line.encode())
        print(said.readline() or "ended\\n", end="", flush=True)
"""


def calls(tscap, pid):
    sites = tscap("dump", "--json", pid).json["sites"]
    return {site["name"]: site["calls"] for site in sites if site["calls"]}


@pytest.fixture(params=["", "recorded"])
def forked(request, start_program):
    """A program that has forked, and the number of its child, which runs what the program is told."""
    program = start_program(sys.executable, "-c", FORKS, *request.param.split())
    program.child = int(program.process.stdout.readline())
    program.recorded = bool(request.param)
    yield program
    try:
        os.kill(program.child, signal.SIGKILL)
    except ProcessLookupError:
        pass


def stop(pid):
    """It has stopped, not only been told to."""
    os.kill(pid, signal.SIGSTOP)
    while state(pid) != "T":
        time.sleep(0.001)


def segments(run_directory):
    return sorted(int(path.name.split("-")[0]) for path in run_directory.glob("*.tscap"))


@needs_tracing
def test_it_can_be_attached_to(tscap, forked, run_directory):
    result = tscap("start", forked.child).is_error(3)
    assert "C code forked it" in result.err and "process %d" % forked.pid in result.err, result
    assert result.remedy == "  try: tscap attach %d" % forked.child
    assert tscap("attach", forked.child).code == 0
    for _ in range(5):
        forked.do("work()")
    assert calls(tscap, forked.child) == {"work": 5}
    assert segments(run_directory) == sorted([forked.pid, forked.child])
    assert tscap("detach", forked.child).code == 0
    assert tscap("start", forked.child).code == 0, "it has decorated functions: it stays prepared"
    forked.do("work()")
    assert calls(tscap, forked.child) == {"work": 6}
    assert calls(tscap, forked.pid) == ({"work": 1} if forked.recorded else {})


def test_its_family_says_that_it_is_not_recorded(tscap, forked):
    """One that cannot be attached to now: it is stopped."""
    stop(forked.child)
    started = tscap("start", "-s", forked.pid)
    assert started.code == 0, started
    assert "process %d cannot be told to record: forked in C" % forked.child in started.err, started
    assert started.err.rstrip("\n").endswith("; tscap attach %d" % forked.child), started
    os.kill(forked.child, signal.SIGCONT)
    forked.do("work()")
    for command in (("dump",), ("top", "-b", 1, "-d", "10ms")):
        result = tscap(*command, "-s", forked.pid)
        assert result.code == 6 and "nothing is recorded of process %d: forked in C" % forked.child in result.err, result
        assert result.remedy == "  try: tscap attach %d" % forked.child
    profile = tscap("dump", "-s", "--json", forked.pid).json
    assert (profile["complete"], profile["losses"]["processes"]) == (False, 1)
    assert [process["pid"] for process in profile["processes"]] == [forked.pid]


@needs_tracing
def test_a_start_of_its_family_attaches_to_it(tscap, forked):
    started = tscap("start", "-s", forked.pid)
    assert started.code == 0 and "recording process %d: attached to, since it was forked in C" % forked.child in started.err, started
    for _ in range(5):
        forked.do("work()")
    whole = tscap("dump", "-s", "--json", forked.pid)
    assert whole.code == 0 and whole.json["complete"], whole
    assert [process["pid"] for process in whole.json["processes"]] == [forked.pid, forked.child]
    assert calls(tscap, forked.child) == {"work": 5}
    again = tscap("start", "-s", forked.pid)
    assert again.code == 0 and "attached to" not in again.err and "cannot be told" not in again.err, again
    assert tscap("stop", "-s", forked.pid).code == 0
    forked.do("work()")
    assert calls(tscap, forked.child) == {"work": 5}


def test_its_family_does_not_miss_it_where_no_subprocess_records(tscap, forked):
    assert tscap("start", forked.pid).code == 0
    whole = tscap("dump", "-s", "--json", forked.pid)
    assert whole.code == 0 and whole.json["complete"], whole


def test_its_family_does_not_miss_what_has_become_another_program(tscap, forked):
    forked.tell("os.execlp('sleep', 'sleep', '1000')")
    forked.expect("ended")
    assert "cannot be told" not in tscap("start", "-s", forked.pid).err
    whole = tscap("dump", "-s", "--json", forked.pid)
    assert whole.code == 0 and whole.json["complete"], whole


@pytest.mark.parametrize("how", ["timestamp_capture.start(); work()", "collector = Timestamp_Collector(); collector.__enter__(); work(); collector.__exit__(None, None, None)"])
def test_it_may_record_by_itself(tscap, forked, run_directory, how):
    """Into a segment of its own, never into its parent's."""
    forked.do(how)
    forked.do("work()")
    assert segments(run_directory) == sorted([forked.pid, forked.child])
    assert calls(tscap, forked.child)["work"] == (2 if "start" in how else 1)
    assert tscap("start", forked.child).code == 0
    assert calls(tscap, forked.pid) == ({"work": 1} if forked.recorded else {})
    assert tscap("stop", forked.pid).code == 0, "its listener is its own"


def test_its_end_takes_nothing_of_its_parent_along(tscap, forked, run_directory):
    """As it does by itself: with what runs at the exit of a Python program."""
    forked.tell("sys.exit()")
    forked.expect("ended")
    assert segments(run_directory) == [forked.pid]
    assert tscap("start", forked.pid).code == 0


def test_what_it_is_told_of_its_parents_sessions_stays_there(tscap, forked):
    forked.do("timestamp_capture.stop(); timestamp_capture.reset()")
    assert calls(tscap, forked.pid) == ({"work": 1} if forked.recorded else {})
    assert ("recording" in tscap("status", forked.pid).out) == forked.recorded
