"""start, stop and reset at any instant: what is recorded is what the rules say, to the call.

From inside, where each order's place among the calls is known, an oracle tells every count, caller and mark. From other
threads and other processes only bounds are known: no more calls than there were, no caller that never calls."""
import os
import random
import threading
from collections import Counter

import pytest

import timestamp_capture
from program import Program
from reading import dump, tscap
from timestamp_capture import Timestamp_Collector, reset, start, status, stop, timestamp

# ---- from inside: exact ----


class Oracle:
    """What the recorder must know. `calls`: those that began while it recorded; `open`: those of them that a stop cut off."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.recording = False
        self.epoch = 0
        self.orders = 0
        self.stack = []  # [name, epoch in which it is on the recorder's stack, or None]
        self.forget()

    def forget(self):
        self.calls, self.pairs, self.open = Counter(), Counter(), Counter()

    def begins(self, name, counts=True):
        entry = [name, self.epoch if self.recording else None]
        if self.recording and counts:
            caller = next((above for above, epoch in reversed(self.stack) if epoch == self.epoch), None)
            self.calls[name] += 1
            self.pairs[caller, name] += 1
        self.stack.append(entry)

    def ends(self):
        self.stack.pop()

    def order(self):
        self.orders += 1
        command = self.random.choice([start, start, start, stop, stop, reset])
        command()
        if command is start and not self.recording:
            self.recording, self.epoch = True, self.epoch + 1
        elif command is stop and self.recording:
            for name, epoch in self.stack:
                if epoch == self.epoch:
                    self.open[name] += 1
            self.recording, self.epoch = False, self.epoch + 1
        elif command is reset:
            self.epoch += 1
            self.forget()

    # the program: a is called by b, b by c, c by a; the generator by all

    def run(self, depth):
        for _ in range(self.random.randrange(4)):
            if self.random.random() < 0.3:
                self.order()
            if depth:
                self.random.choice([self.function, self.raising, self.generator, self.left_open])(depth - 1)

    def function(self, depth):
        name = self.random.choice("abc")

        @timestamp(name)
        def function():
            self.begins(name)
            self.run(depth)
            self.ends()

        function()

    def raising(self, depth):
        @timestamp("raises")
        def raises():
            self.begins("raises")
            try:
                self.run(depth)
            finally:
                self.ends()
            raise KeyError

        with pytest.raises(KeyError):
            raises()

    def numbers(self, depth):
        @timestamp("numbers")
        def numbers():
            for i in range(3):
                self.begins("numbers", counts=i == 0)
                self.run(depth)
                self.ends()
                yield

        return numbers()

    def generator(self, depth):
        for _ in self.numbers(depth):
            if self.random.random() < 0.3:
                self.order()

    def left_open(self, depth):
        """Closed or collected where it waits; inside a `try`, or 3.13.0 would not tell."""
        g = self.numbers(depth)
        next(g)
        if self.random.random() < 0.5:
            next(g)

    def check(self, profile):
        """A generator that waits when recording stops is open as well, as one or another: only functions are compared."""
        assert profile.counts() == {name: n for name, n in self.calls.items() if n}
        pairs = {pair: n for pair, (n, _) in profile.pairs().items()}
        assert pairs == {pair: n for pair, n in self.pairs.items() if n}
        for name in ("a", "b", "c", "raises"):
            if self.calls[name]:
                found = sum(site["open"] for site in profile.sites.values() if site["name"] == name)
                assert found == self.open[name], name
        profile.check_sums()
        assert profile["lost"] == 0 and set(profile.losses()) <= {"silent_ends"}


def run_exact(seed, rounds):
    stop(), reset()
    oracle = Oracle(seed)
    for _ in range(rounds):
        oracle.run(6)
        assert oracle.stack == []
        if oracle.random.random() < 0.2:
            oracle.check(dump(os.getpid()))
    stop()
    reset()
    return oracle.orders


@pytest.mark.parametrize("seed", range(3))
def test_exact_from_inside(seed):
    assert run_exact(seed, 40) > 200
    assert status()["consumers"] == 0


# ---- from other threads and processes, in a storm of everything ----

STORM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "storm.py")


class Storm:
    """The program runs threads, tasks, generators and collectors; we give it orders, and ask what it knows."""

    def __init__(self, tmp_path, seed):
        with open(STORM, encoding="utf-8") as file:
            self.program = Program(file.read(), path=tmp_path / "storm.py", arguments=[str(seed)])
        self.random = random.Random(seed)
        facts = self.program.wait()
        self.edges = {tuple(edge) for edge in facts["edges"]}

    def check(self, profile):
        """Nobody is a caller that does not call, or that could have returned: None is who was there before the start."""
        strange = {pair for pair in profile.pairs() if pair[0] is not None and pair not in self.edges}
        assert not strange, strange
        assert profile["lost"] == 0
        if profile["complete"]:
            profile.check_sums()

    def order(self):
        command = self.random.choice(["start", "start", "stop", "reset", "dump"])
        if command == "dump":
            self.check(self.program.dump(check=False))
        else:
            self.program.tscap(command)

    def end(self):
        self.program.go()
        facts = self.program.wait()
        profile = self.program.dump()
        assert facts["wrong"] == [] and facts["collected"] > 0
        assert profile["complete"] and profile["losses"]["mismatched"] == profile["losses"]["clamped"] == 0
        assert set(profile.losses()) <= {"silent_ends"}
        self.check(profile)
        for name, n in profile.counts().items():
            assert n <= facts["truth"][name], name
        self.check_dormant(profile)
        self.program.finish()
        return facts["orders"]

    def check_dormant(self, before):
        """After the stop nothing is added any more, and the hooks are gone."""
        self.program.go()
        facts = self.program.wait()
        assert facts["armed"] is False and facts["called"] > 0
        assert self.program.dump().counts() == before.counts()


def run_storm(tmp_path, seed, orders):
    storm = Storm(tmp_path, seed)
    try:
        for _ in range(orders):
            storm.order()
        return storm.end()
    finally:
        storm.program.clean_up()


def test_storm(run_directory, tmp_path):
    """A hundred orders from outside while the program's own threads give some hundreds."""
    assert run_storm(tmp_path, 1, 100) >= 100


# ---- what starts and stops meet ----


def test_a_thread_that_was_inside_calls_all_the_time(recording):
    """Recording ends and begins again while another thread stands in calls: they are neither callers nor counted again."""
    inside, go = threading.Barrier(2), threading.Barrier(2)

    @timestamp("stands")
    def stands():
        for _ in range(3):
            inside.wait()
            go.wait()
            called()

    @timestamp("called")
    def called():
        pass

    thread = threading.Thread(target=stands)
    with recording:
        thread.start()
        inside.wait()
    first = recording.profile
    assert first.counts("calls", "open") == {"stands": (1, 1)}
    go.wait()
    inside.wait()
    assert recording.profile.counts() == {"stands": 1}
    start()
    go.wait()
    inside.wait()
    profile = recording.profile
    assert profile.counts("calls", "open") == {"stands": (1, 1), "called": (1, 0)}
    assert profile.pairs() == {(None, "stands"): (1, 1), (None, "called"): (1, 1)}
    assert profile.site("stands")["inclusive_ticks"] == first.site("stands")["inclusive_ticks"]
    go.wait()
    thread.join()
    stop()
    profile = recording.profile
    assert profile.pairs() == {(None, "stands"): (1, 1), (None, "called"): (2, 2)}
    profile.check_sums()


def test_closed_at_stop_time(recording):
    """The time of a call that is open at the stop lasts until then, on its own thread or not."""
    import time

    inside, go = threading.Event(), threading.Event()

    @timestamp("stands")
    def stands():
        inside.set()
        go.wait()

    thread = threading.Thread(target=stands)
    timestamp_capture.reset()
    start()
    before = time.perf_counter_ns()
    thread.start()
    inside.wait()
    time.sleep(0.02)
    earliest = time.perf_counter_ns()
    stop()
    latest = time.perf_counter_ns()
    time.sleep(0.05)
    one = recording.profile.site("stands")
    go.set()
    thread.join()
    two = recording.profile.site("stands")
    assert 20_000_000 <= one["inclusive_ns"] <= latest - before and earliest - before >= 20_000_000
    assert (two["inclusive_ticks"], two["calls"], two["open"]) == (one["inclusive_ticks"], 1, 1)


def test_collectors_do_not_mind_orders():
    """Sessions come and go around it and inside it."""

    @timestamp("leaf")
    def leaf():
        pass

    rnd = random.Random(5)
    stop(), reset()
    with Timestamp_Collector() as c:
        for i in range(1, 500):
            rnd.choice([start, stop, reset])()
            leaf()
    stop(), reset()
    assert c.complete and [row[:2] for row in c.timings()] == [("leaf", 499)]
