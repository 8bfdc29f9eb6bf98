"""Processes as the tests see them from outside: their threads, and what a program gets that is not prepared."""
import os

import pytest

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


def thread_names(pid):
    return [name.strip() for name in of_threads(pid, "comm")]


def thread_states(pid):
    """One letter each: proc_pid_stat(5)."""
    return [stat.rpartition(")")[2].split()[0] for stat in of_threads(pid, "stat")]
