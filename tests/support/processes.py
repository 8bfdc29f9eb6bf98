"""Processes as the tests see them from outside: their threads, and what a program gets that is not prepared."""
import os
import pathlib
import time

import pytest

CONTAINER = str(pathlib.Path(__file__).parent / "container.py")
NOBODY = 65534  # a user id that is not ours

needs_tracing = pytest.mark.skipif(
    os.path.exists("/proc/sys/kernel/yama/ptrace_scope") and open("/proc/sys/kernel/yama/ptrace_scope").read().strip() != "0" and os.geteuid() != 0,
    reason="kernel.yama.ptrace_scope forbids tracing",
)


def environment_without_us():
    """Ours, less what would let a program find the package or the run directory of a test."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "TSCAP_DIR", "TSCAP_BUILD")}


def of_threads(pid, file):
    """What /proc/PID/task/TID/FILE holds for each thread. One that ends while we look has none (ESRCH once the file is open)."""
    tasks = "/proc/%d/task" % pid
    for tid in os.listdir(tasks):
        try:
            with open("%s/%s/%s" % (tasks, tid, file)) as opened:
                text = opened.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        yield text


def state_in(stat):
    """The letter in the text of a stat file: proc_pid_stat(5)."""
    return stat.rpartition(")")[2].split()[0]


def state(pid):
    """Of its first thread."""
    with open("/proc/%d/stat" % pid) as file:
        return state_in(file.read())


def await_sleep(pid, limit=60):
    """What its first thread does may be said already, but not have been done: until that waits."""
    deadline = time.monotonic() + limit
    while state(pid) != "S":
        assert time.monotonic() < deadline, "it does not wait"
        time.sleep(0.01)


def await_work(pid, limit=60):
    """Until its first thread has got 20 ms more of a CPU."""

    def ran():
        with open("/proc/%d/task/%d/schedstat" % (pid, pid)) as file:
            return int(file.read().split()[0])

    wanted = ran() + 20_000_000
    deadline = time.monotonic() + limit
    while ran() < wanted:
        assert time.monotonic() < deadline, "it does not work"
        time.sleep(0.01)


def thread_names(pid):
    return [name.strip() for name in of_threads(pid, "comm")]


def await_threads(pid, may_be, limit=60):
    """Until all that are there may be, by their names."""
    deadline = time.monotonic() + limit
    while not all(may_be(name) for name in thread_names(pid)):
        assert time.monotonic() < deadline, thread_names(pid)
        time.sleep(0.01)


def thread_states(pid):
    return [state_in(stat) for stat in of_threads(pid, "stat")]


def is_gone(pid):
    try:
        return state(pid) in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def inner_pid(pid):
    """The number it has in its own pid namespace."""
    (line,) = [line for line in open("/proc/%d/status" % pid) if line.startswith("NSpid:")]
    return int(line.split()[-1])


def children(pid):
    """Whichever of its threads made them."""
    try:
        return [int(child) for text in of_threads(pid, "children") for child in text.split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
