"""kill -9 of who records and of who is recorded, at random instants: what is in the file then. Short in tests/cli, long in tests/soak."""
import mmap
import os
import random
import re
import struct
import subprocess
import sys
import time

import captures

LIMIT = 120  # seconds, for what may hang

# Each function once a round, one after another; the number of rounds is where it outlives the program.
ROUNDS = """
import mmap, struct, sys
from timestamp_capture import timestamp
with open(sys.argv[1], "r+b") as file:
    memory = mmap.mmap(file.fileno(), 8)
functions = []
for number in range(300):
    scope = {}
    exec("def step_%d(): pass" % number, scope)
    functions.append(timestamp(scope["step_%d" % number]))

@timestamp
def inner(): pass

@timestamp
def outer():
    inner(); inner(); inner()

print("ready", flush=True)
sys.stdin.readline()
done = 0
while True:
    for step in functions: step()
    outer()
    done += 1
    memory[:] = struct.pack("=Q", done)
"""
STEPS = 300


class Rounds:
    """A process of that program; its calls are known at any instant, to one round."""

    def __init__(self, folder):
        (folder / "rounds.py").write_text(ROUNDS)
        (folder / "done").write_bytes(bytes(8))
        command = [sys.executable, str(folder / "rounds.py"), str(folder / "done")]
        with open(folder / "done", "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 8)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        assert self.process.stdout.readline() == "ready\n"

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    @property
    def done(self):
        return struct.unpack("=Q", self.memory[:])[0]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.kill()
        self.process.stdout.close()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.memory.close()


class Recorder:
    """`tscap record`, to be killed."""

    def __init__(self, pid, path):
        self.path = path
        command = [os.environ["TSCAP"], "record", "-o", str(path), str(pid)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def await_look(self):
        deadline = time.monotonic() + LIMIT
        while not (self.path.exists() and self.path.stat().st_size > 64 and captures.read(self.path).looks):
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def kill(self):
        self.process.kill()
        return self.end()

    def end(self):
        """What it said."""
        said = self.process.communicate(timeout=LIMIT)[1]
        return said


# ---- what is in a file ----


def sums_agree(capture):
    """Paths, pairs and histograms add up to the functions, in calls and in ticks."""
    by_path, by_callee, steps = {}, {}, {}
    for row in capture.nodes:
        calls, ticks = by_path.get(row["function"], (0, 0))
        by_path[row["function"]] = calls + row["calls"], ticks + row["exclusive_ticks"]
    for row in capture.pairs:
        by_callee[row["callee"]] = by_callee.get(row["callee"], 0) + row["calls"]
    for row in capture.histograms:
        steps[row["function"]] = steps.get(row["function"], 0) + sum(row["step_%d" % i] for i in range(16))
    for row in capture.functions:
        number = row["function"]
        assert by_path[number] == (row["calls"], row["exclusive_ticks"]), row
        assert by_callee.get(number, 0) == row["calls"] and steps.get(number, 0) == row["ended"], row
    assert sum(row["calls"] for row in capture.functions) == capture.total["calls"]
    assert capture.total["complete"] and not capture.total["lost"]


def rounds_in(capture, whole):
    """How many rounds have ended in it. `whole`: it has them from the first on, else it begins somewhere in one."""
    calls = capture.calls()
    rounds, slack = calls.get("outer", 0), 0 if whole else 1
    assert 3 * (rounds - 1) - 3 * slack <= calls.get("inner", 0) <= 3 * rounds + 3 * slack, calls
    steps = [calls.get("step_%d" % number, 0) for number in range(STEPS)]
    assert rounds - slack <= min(steps) and max(steps) <= rounds + 1, (rounds, steps)
    if whole:
        assert steps == sorted(steps, reverse=True), steps  # those of the last round, as far as it came
    return rounds


def shown_functions(capture):
    """Also one that was open when the look began, and is: it has time, and no call."""
    names = {row["function"]: row["name"] for row in capture.names}
    return [{**row, "name": names[row["function"]]} for row in capture.functions if row["calls"] or row["inclusive_ticks"]]


def opens(path):
    """By the command, which says what is missing; the second reader's capture, None: there is no look in it."""
    shown = subprocess.run([os.environ["TSCAP"], "dump", "-n", "1000", str(path)], capture_output=True, text=True, timeout=LIMIT)
    size = path.stat().st_size
    capture = captures.read(path) if size >= 64 else None
    if not capture or not capture.looks:
        assert shown.returncode == 1 and shown.stderr.startswith("tscap: "), shown
        return None
    assert shown.returncode == 0, shown
    calls = {name: int(count) for count, name in re.findall(r"^ *([0-9]+)  .* (\S+) \([^()]*\)$", shown.stdout, re.M)}
    assert calls == {row["name"]: row["calls"] for row in shown_functions(capture)}
    assert ("was not finished" in shown.stderr) != capture.finished, shown
    assert ("%d bytes at its end are cut or damaged" % (size - capture.whole) in shown.stderr) == (size > capture.whole), shown
    sums_agree(capture)
    return capture


# ---- kills ----

LASTS = """
import time
def f(): pass
print("begin", flush=True)
for i in range(40):
    f()
    time.sleep(0.002)
print("end", flush=True)
"""


def kill_runs(folder, times, *options, environment):
    """Of `tscap run`: the program goes on to its end each time. How often it had begun by then."""
    path, begun = folder / "lasts.py", 0
    path.write_text(LASTS)
    for _ in range(times):
        command = [os.environ["TSCAP"], "run", "--", sys.executable, *options, str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        time.sleep(random.uniform(0, 0.15))  # the instants that are meant
        process.kill()
        output = process.stdout.read()  # until the program has ended, too
        process.stdout.close()
        process.wait()
        assert output in ("", "begin\nend\n")
        begun += output != ""
    return begun


def kill_recorders(folder, times):
    """Of one program, which goes on. How many of the files had a look, and how many were cut within a block."""
    rounds, opened, cut = Rounds(folder), 0, 0
    try:
        rounds.go()
        for number in range(times):
            before = rounds.done
            recorder = Recorder(rounds.pid, folder / ("%d.tscap" % number))
            time.sleep(random.uniform(0, 0.2 if number % 8 else 2.5))  # the instants that are meant
            recorder.kill()
            after = rounds.done
            capture = opens(recorder.path) if recorder.path.exists() else None
            if capture:
                assert rounds_in(capture, False) <= after - before + 2
                opened += 1
                cut += capture.whole < recorder.path.stat().st_size
                recorder.path.unlink()
            assert rounds.process.poll() is None
        at_last = rounds.done
        deadline = time.monotonic() + LIMIT
        while rounds.done <= at_last:
            assert time.monotonic() < deadline, "it does not go on"
            time.sleep(0.001)
    finally:
        rounds.close()
    return opened, cut


def kill_targets(folder, times):
    """Each recorded from its first round on: the file has it all, to the round that it was in."""
    for number in range(times):
        rounds, recorder = Rounds(folder), None
        try:
            recorder = Recorder(rounds.pid, folder / ("%d.tscap" % number))
            recorder.await_look()
            rounds.go()
            time.sleep(random.uniform(0, 0.3))  # the instants that are meant
            rounds.kill()
            said = recorder.end()
            assert recorder.process.returncode == 0 and "has ended" in said, said
            capture = opens(recorder.path)
            assert capture and capture.finished
            assert rounds_in(capture, True) - rounds.done in (0, 1)
            recorder.path.unlink()
        finally:
            rounds.close()
            if recorder and recorder.process.poll() is None:
                recorder.kill()
