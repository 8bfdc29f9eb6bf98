"""What the kernel hears of us, by strace: nothing from the target while it is read, and nothing from recording but reads of
the thread's CPU clock after it left the CPU."""
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from processes import await_sleep, await_work, of_threads
from reading import tscap

STEADY = """
    import signal, sys, timestamp_capture
    from timestamp_capture import timestamp, timestamp_block

    @timestamp
    def leaf(): pass

    @timestamp
    def parent():
        for _ in range(50): leaf()

    @timestamp
    def numbers():
        for i in range(5):
            leaf()
            yield i

    over = False
    def end(*_):
        global over
        over = True
    signal.signal(signal.SIGUSR1, end)

    def steady():
        while not over:
            parent()
            for _ in numbers(): pass
            with timestamp_block("block"): leaf()

    def turn_after(rounds):
        for _ in range(rounds):
            parent()
            for _ in numbers(): pass
            with timestamp_block("block"): leaf()

    if sys.argv[1] == "armed": timestamp_capture.start()
    turn_after(3000)  # memory and rings have been had
    checkpoint()
    steady()
    checkpoint()
"""


class Strace:
    """Of a process and all its threads, from now on."""

    def __init__(self, pid, path):
        if not shutil.which("strace"):
            pytest.skip("strace is not installed")
        self.pid, self.path = pid, path
        self.process = subprocess.Popen(["strace", "-f", "-o", str(path), "-p", str(pid)], stderr=subprocess.PIPE, text=True)
        said = []
        while sum("attached" in line for line in said) < 1:
            line = self.process.stderr.readline()
            said.append(line)
            if not line or "not permitted" in line:
                self.end()
                pytest.skip(f"strace may not attach here: {''.join(said).strip()}")

    def await_all(self, but):
        """The calls in which threads wait are begun again, and shown: until they have been. `but` is busy."""
        deadline = time.monotonic() + 60
        waiting = {int(tid) for tid in os.listdir(f"/proc/{self.pid}/task")} - {but}
        while not waiting <= {int(line.split()[0]) for line in self.lines() if line}:
            assert time.monotonic() < deadline, self.lines()
            time.sleep(0.01)

    def lines(self):
        return self.path.read_text().splitlines()

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        self.process.stderr.close()
        return self.lines() if self.path.exists() else []


def calls_of(lines):
    """Names and arguments of the system calls that begin there; those that were under way before, and end there, are not."""
    found = [re.match(r"\d+\s+(\w+)\((.*)", line) for line in lines]
    return [call.groups() for call in found if call]


def but_looks(lines, pid):
    """Without those by which the listener looks at what it listens with once a minute, and in a session for other interpreters each second."""
    look = re.compile(r"\d+\s+(poll|ppoll|fstat|newfstatat|restart_syscall)\(")
    return [line for line in lines if line.split()[0] == str(pid) or not look.match(line)]


def is_cpu_clock(name, arguments):
    return name == "clock_gettime" and ("CLOCK_THREAD_CPUTIME_ID" in arguments or re.match(r"-?\d|0x|make", arguments))


def without_growth(calls):
    """The segment may grow once: while strace stops it, calls take times that none took before, and each order of
    magnitude has counters of its own."""
    begins = [i for i, (name, arguments) in enumerate(calls) if name == "openat" and ".tscap" in arguments]
    assert len(begins) <= 1
    for begin in begins:
        end = next(i for i in range(begin, len(calls)) if calls[i][0] == "madvise")
        assert end - begin < 6
        calls = calls[:begin] + calls[end + 1 :]
    return calls


@pytest.mark.parametrize("state", ["dormant", "armed"])
def test_steady_state(program, tmp_path, state):
    p = program(STEADY, arguments=[state])
    p.wait()
    p.go()
    await_work(p.pid)  # it has read the order
    strace = Strace(p.pid, tmp_path / "trace")
    strace.await_all(but=p.pid)
    begun = len(strace.lines())
    for _ in range(5):
        p.dump()
    p.tscap("dump", "--tree")
    tscap("ps")
    p.tscap("top", "-b", "3", "-d", "0.05")
    quiet = but_looks(strace.lines()[begun:], p.pid)
    p.child.send_signal(signal.SIGUSR1)
    p.wait()
    strace.end()
    unexpected = [call for call in calls_of(quiet) if not is_cpu_clock(*call) and call[0] != "restart_syscall"]
    assert without_growth(unexpected) == []
    if state == "dormant":
        assert calls_of(quiet) == []
    else:
        assert p.dump()["lost"] == 0
    p.finish()


def test_orders_reach_only_the_listener(program, tmp_path):
    """start and stop are carried out on a thread of ours."""
    p = program(STEADY, arguments=["dormant"])
    p.wait()
    await_sleep(p.pid)
    strace = Strace(p.pid, tmp_path / "trace")  # the program waits at its checkpoint
    strace.await_all(but=None)
    p.tscap("start")
    p.tscap("stop")
    time.sleep(0.1)
    lines = strace.end()
    mine = [line for line in lines if re.match(rf"{p.pid}\s", line)]
    others = [line for line in lines if not re.match(rf"{p.pid}\s", line)]
    assert calls_of(mine) in ([], [("read", calls_of(mine)[0][1])] if mine else []), "its own read, which was under way"
    assert any(name.startswith("accept") for name, _ in calls_of(others))
    p.child.send_signal(signal.SIGUSR1)
    p.go()
    p.wait()
    p.finish()


def test_idle_listener_uses_no_cpu(program):
    p = program("import timestamp_capture\ncheckpoint()\n")
    p.wait()

    def ticks():
        return sum(int(times.split()[0]) for times in of_threads(p.pid, "schedstat"))

    deadline = time.monotonic() + 60
    before = None
    while ticks() != before:  # it may not have gone to sleep yet
        assert time.monotonic() < deadline, "never at rest for 0.3 s"
        before = ticks()
        time.sleep(0.3)
    p.finish()
