"""start, stop and reset, from inside and through tscap: at rest, at any instant, with calls open."""
import os
import random
import signal
import textwrap
import threading
import time

import pytest

import timestamp_capture
from reading import tscap
from timestamp_capture import is_running, reset, start, status, stop, timestamp

# ---- from inside ----


def test_start_and_stop_say_what_is_new():
    assert not is_running()
    assert start() is True
    assert start() is False
    assert is_running()
    assert stop() is True
    assert stop() is False
    assert not is_running()


def test_status(recording):
    with recording:
        during = status()
    assert during["available"] is True and during["problem"] == ""
    assert during["running"] is True and during["consumers"] == 1
    assert os.path.dirname(during["segment"]) == os.environ["TSCAP_DIR"]
    assert during["version"] == timestamp_capture.__version__
    after = status()
    assert after["running"] is False and after["consumers"] == 0


@timestamp
def work(n=0):
    return n and work(n - 1)


def test_sums_go_on_after_another_start(recording):
    with recording:
        work()
    start()
    work()
    stop()
    assert recording.profile.check().counts() == {"work": 2}


def test_reset_forgets(recording):
    with recording:
        work(), work()
        reset()
        assert recording.profile.counts() == {}
        work()
        assert recording.profile.counts() == {"work": 1}
    reset()
    profile = recording.profile
    assert profile.counts() == {} and profile["session"]["started_ns"] is None
    assert profile["session"]["running"] is False


def test_nothing_is_recorded_while_dormant(recording):
    with recording:
        work()
    for _ in range(1000):
        work()
    assert recording.profile.counts() == {"work": 1}


def test_started_and_stopped_from_a_recorded_function(recording):
    @timestamp
    def starts():
        start()
        work()

    @timestamp
    def stops():
        work()
        stop()
        work()

    reset()
    starts()
    assert recording.profile.counts() == {"work": 1}, "the call that started was not seen to begin"
    stops()
    profile = recording.profile
    assert profile.counts() == {"work": 2, stops.__qualname__: 1}
    assert profile.site(stops.__qualname__)["open"] == 1, "it was open when recording stopped"
    assert profile.site("work")["open"] == 0
    profile.check_sums()


def test_stopped_and_started_within_a_recorded_function(recording):
    @timestamp
    def outer():
        work()
        stop()
        work()
        start()
        work()

    with recording:
        outer()
    profile = recording.profile
    profile.check_sums()
    assert profile.counts() == {"work": 2, outer.__qualname__: 1}
    assert profile.pairs() == {(None, outer.__qualname__): (1, 1), (outer.__qualname__, "work"): (1, 1), (None, "work"): (1, 1)}


def test_reset_within_recorded_functions(recording):
    @timestamp
    def outer():
        work()
        reset()
        work()

    with recording:
        outer()
    profile = recording.profile
    profile.check_sums()
    assert profile.counts() == {"work": 1}, "what was open at the reset is forgotten with the rest"


# ---- from outside ----

BUSY = """
    import sys, threading, timestamp_capture
    from timestamp_capture import timestamp
    from collections import Counter

    truth, over = Counter(), threading.Event()
    lock = threading.Lock()

    @timestamp
    def leaf(mine): mine["leaf"] += 1

    @timestamp
    def recursive(mine, n):
        mine["recursive"] += 1
        leaf(mine)
        if n: recursive(mine, n - 1)

    @timestamp
    def raises(mine):
        mine["raises"] += 1
        leaf(mine)
        raise KeyError

    @timestamp
    def numbers(mine, n):
        mine["numbers"] += 1
        for i in range(n):
            leaf(mine)
            yield i

    def work():
        mine = Counter()
        while not over.is_set():
            recursive(mine, 5)
            for _ in numbers(mine, 3): leaf(mine)
            try: raises(mine)
            except KeyError: pass
        with lock: truth.update(mine)

    threads = [threading.Thread(target=work) for _ in range(3)]
    sys.setswitchinterval(1e-4)
    for t in threads: t.start()
"""


@pytest.fixture
def busy(program):
    p = program(
        textwrap.dedent(BUSY)
        + "checkpoint()\nover.set()\nfor t in threads: t.join()\ntimestamp_capture.stop()\ncheckpoint(truth=truth)\n"
    )
    p.wait()
    yield p


def check_against_truth(p):
    """At the end: nothing invented, nothing negative, all identities."""
    p.go()
    truth = p.wait()["truth"]
    profile = p.dump()
    assert profile["complete"] and profile["lost"] == 0
    assert set(profile.losses()) <= {"silent_ends"}, "a generator that ended while nobody recorded"
    profile.check_sums()
    for name, calls in profile.counts().items():
        assert calls <= truth[name], name
    p.finish()
    return profile, truth


def test_start_stop_status_from_outside(busy):
    assert busy.dump().counts() == {}
    busy.tscap("start")
    assert busy.tscap("start", check=False).returncode == 0, "already recording is no failure"
    deadline = time.monotonic() + 60
    while not busy.dump().counts():
        assert time.monotonic() < deadline, "nothing is recorded"
    assert busy.dump()["session"]["running"] is True
    busy.tscap("stop")
    one, two = busy.dump(), busy.dump()
    assert one.counts() == two.counts() != {}
    assert one["session"]["running"] is False
    busy.tscap("reset")
    assert busy.dump().counts() == {}
    check_against_truth(busy)


def test_open_calls_at_stop_are_marked(program):
    p = program(
        """
        import threading, timestamp_capture
        from timestamp_capture import timestamp
        ready, go = threading.Event(), threading.Event()

        @timestamp
        def inner(): ready.set(); go.wait()

        @timestamp
        def outer(): inner()

        @timestamp
        def waits(): yield 1

        t = threading.Thread(target=outer)
        timestamp_capture.start()
        g = waits(); next(g)
        t.start(); ready.wait()
        checkpoint()
        go.set(); t.join()
        checkpoint()
        """
    )
    p.wait()
    open_now = {"outer": (1, 1, 0), "inner": (1, 1, 0), "waits": (1, 1, 1)}
    assert p.dump().counts("calls", "open", "suspended") == open_now
    p.tscap("stop")
    stopped = p.dump()
    assert stopped.counts("calls", "open", "suspended") == open_now
    assert stopped.pairs() == {(None, "outer"): (1, 1), ("outer", "inner"): (1, 1), (None, "waits"): (1, 1)}
    time.sleep(0.02)
    p.go()
    p.wait()
    after = p.dump()
    assert after.counts("calls", "open") == {"outer": (1, 1), "inner": (1, 1), "waits": (1, 1)}, "their ends were not recorded"
    assert after.site("inner")["inclusive_ticks"] == stopped.site("inner")["inclusive_ticks"], "and no time after the stop"
    after.check_sums()
    p.finish()


def test_random_orders_from_outside(busy):
    """Some hundred starts, stops, resets and dumps at random instants of a busy run."""
    rnd = random.Random(3)
    for _ in range(200):
        command = rnd.choice(["start", "start", "stop", "reset", "dump"])
        if command == "dump":
            profile = busy.dump(check=False)
            assert profile["lost"] == 0
            if profile["complete"]:
                profile.check_sums()
        else:
            busy.tscap(command)
        if rnd.random() < 0.3:
            time.sleep(rnd.random() * 0.005)
    profile, _ = check_against_truth(busy)
    assert profile["losses"]["mismatched"] == 0


def test_exact_between_start_and_stop_from_outside(program):
    """Calls made while it stands still at checkpoints are recorded or not, without a doubt."""
    p = program(
        """
        from timestamp_capture import timestamp
        @timestamp
        def f(): pass
        while True:
            for _ in range(1000): f()
            if checkpoint() == "end": break
        """
    )
    p.wait()
    rounds = 0
    for i in range(20):
        p.tscap("start" if i % 2 == 0 else "stop")
        p.go()
        p.wait()
        rounds += i % 2 == 0
        assert p.dump().check().calls("f") == 1000 * rounds
    p.go("end")
    p.finish()


def test_random_orders_from_inside(program):
    """The same from a thread of the program, some thousand times, and from collectors that come and go."""
    p = program(
        textwrap.dedent(BUSY)
        + textwrap.dedent(
            """
            import random, time
            from timestamp_capture import start, stop, reset, Timestamp_Collector

            rnd = random.Random(7)
            def collect():
                mine = Counter()
                while not over.is_set():
                    with Timestamp_Collector("request"): recursive(mine, 2)
                with lock: truth.update(mine)
            collecting = threading.Thread(target=collect)
            collecting.start()
            for _ in range(1000):
                rnd.choice([start, start, stop, reset])()
                if rnd.random() < .2: time.sleep(rnd.random() * .002)
            over.set()
            for t in [*threads, collecting]: t.join()
            stop()
            checkpoint(truth=truth)
            """
        )
    )
    truth = p.wait()["truth"]
    profile = p.dump()
    assert profile["lost"] == profile["losses"]["mismatched"] == profile["losses"]["clamped"] == 0
    profile.check_sums()
    for name, calls in profile.counts().items():
        assert name == "request" or calls <= truth[name]
    p.finish()


def test_stop_ends_the_cost(busy):
    """A second start finds everything as the first did."""
    for _ in range(5):
        busy.tscap("start")
        busy.tscap("stop")
    before = busy.dump().counts()
    time.sleep(0.05)
    assert busy.dump().counts() == before
    check_against_truth(busy)


def test_listener_is_not_disturbed_by_signals(program):
    p = program(
        """
        import signal, time
        from timestamp_capture import timestamp
        seen = []
        signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
        checkpoint()
        for n in range(1, 21):
            while len(seen) < n: time.sleep(.001)
            checkpoint()
        """
    )
    p.wait()
    for _ in range(20):
        p.go()
        p.child.send_signal(signal.SIGUSR1)
        p.wait()
    p.tscap("start")
    p.tscap("stop")
    p.finish()


def test_many_clients_at_once(busy):
    failed = []

    def order(command):
        for _ in range(10):
            done = tscap(command, busy.pid, check=False)
            if done.returncode:
                failed.append(done.stderr)

    clients = [threading.Thread(target=order, args=(command,)) for command in ("start", "stop", "reset", "status")]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert not failed
    check_against_truth(busy)
