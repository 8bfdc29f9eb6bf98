"""Greenlets: a thread that goes over from one stack to another without an event. Each call has the caller it has on its own
stack, and time is that of the stack that runs."""
import asyncio
import gc
import random
import threading
import time

import pytest

from forest import count_events, seeds
from timestamp_capture import Timestamp_Collector, timestamp, timestamp_block

greenlet = pytest.importorskip("greenlet", reason="greenlet is not installed for this Python")
getcurrent, switch_class = greenlet.getcurrent, greenlet.greenlet

SWITCHES = 100_000


def ping_pong(recording, rounds):
    """Two greenlets that hand over to each other from within recorded calls, at two depths."""

    @timestamp("ping")
    def ping():
        inner_ping()

    @timestamp("inner ping")
    def inner_ping():
        other["pong"].switch()

    @timestamp("pong")
    def pong():
        other["ping"].switch()

    def run_ping():
        for _ in range(rounds):
            ping()
        over.append(True)
        other["pong"].switch()

    def run_pong():
        while not over:
            pong()

    over, other = [], {"ping": switch_class(run_ping), "pong": switch_class(run_pong)}
    with recording:
        other["ping"].switch()
    return recording.profile


def test_100_000_switches_between_recorded_calls(recording):
    profile = ping_pong(recording, SWITCHES // 2).check()
    rounds = SWITCHES // 2
    assert profile.counts("calls", "primitive_calls", "open", "raised", "suspended", "ended") == {
        "ping": (rounds, rounds, 0, 0, 0, rounds),
        "inner ping": (rounds, rounds, 0, 0, 0, rounds),
        "pong": (rounds, rounds, 0, 0, 0, rounds),
    }
    assert profile.pairs() == {(None, "ping"): (rounds, rounds), ("ping", "inner ping"): (rounds, rounds), (None, "pong"): (rounds, rounds)}
    assert profile.paths() == {("ping",): rounds, ("ping", "inner ping"): rounds, ("pong",): rounds}


def test_time_is_that_of_the_stack_that_runs(recording):
    def busy(ns):
        end = time.perf_counter_ns() + ns
        while time.perf_counter_ns() < end:
            pass

    @timestamp("short")
    def short():
        other.switch()

    @timestamp("long")
    def long():
        busy(30_000_000)

    with recording:
        other = switch_class(lambda: long() or main.switch())
        main = getcurrent()
        short()
    profile = recording.profile.check()
    assert profile.pairs() == {(None, "short"): (1, 1), (None, "long"): (1, 1)}
    assert profile.site("long")["exclusive_ns"] >= 30_000_000
    assert profile.site("short")["elapsed_ns"] >= 30_000_000
    assert profile.site("short")["inclusive_ticks"] + profile.site("long")["inclusive_ticks"] <= profile.site("short")["elapsed_ticks"] * 1.5


class Bare(Exception):
    pass


class World:
    """A random program of greenlets that call, yield, raise and switch; the truth is told from the frames that run."""

    def __init__(self, seed):
        self.rnd = random.Random(seed)
        self.calls, self.pairs, self.raised = {}, {}, {}
        self.above = {}  # greenlet -> names of its open calls
        self.greenlets = []
        self.left = 3000

    def note(self, name):
        above = self.above.setdefault(getcurrent(), [])
        caller = above[-1] if above else None
        self.calls[name] = self.calls.get(name, 0) + 1
        self.pairs[caller, name] = self.pairs.get((caller, name), 0) + 1
        above.append(name)

    def forget(self, name, raised):
        assert self.above[getcurrent()].pop() == name
        self.raised[name] = self.raised.get(name, 0) + raised

    def act(self, depth):
        for _ in range(self.rnd.randrange(5)):
            self.left -= 1
            what = self.rnd.random()
            if self.left < 0:
                return
            if what < 0.35:
                self.switch()
            elif depth < 12:
                self.call(depth)
            elif what > 0.95:
                raise Bare

    def call(self, depth):
        kind = self.rnd.choice(self.kinds)
        try:
            kind(self, depth + 1)
        except Bare:
            if self.rnd.random() < 0.5:
                raise

    def switch(self):
        alive = [g for g in self.greenlets if not g.dead and g is not getcurrent()]
        if len(alive) < 6 or self.rnd.random() < 0.05:
            new = switch_class(self.live)
            self.greenlets.append(new)
            alive.append(new)
        self.rnd.choice(alive).switch()

    def live(self, *_):
        try:
            self.act(0)
        except Bare:
            pass
        finally:
            self.greenlets.remove(getcurrent())
        return None

    def run(self):
        main = getcurrent()
        while self.left > 0:
            self.live_main()
        while self.greenlets:
            alive = [g for g in self.greenlets if g]
            if not alive:
                break
            alive[0].parent = main
            alive[0].throw()
            self.greenlets = [g for g in self.greenlets if not g.dead]

    def live_main(self):
        try:
            self.act(0)
        except Bare:
            pass


def told(name):
    """Notes beginning and end of the body."""

    class Told:
        def __init__(self, world):
            self.world = world

        def __enter__(self):
            self.world.note(name)

        def __exit__(self, kind, *_):
            self.world.forget(name, kind is not None)

    return Told


TOLD = {name: told(name) for name in ("function", "recursive", "generator", "block")}


@timestamp("function")
def function(world, depth):
    with TOLD["function"](world):
        world.act(depth)


@timestamp("recursive")
def recursive(world, depth):
    with TOLD["recursive"](world):
        if depth < 8:
            recursive(world, depth + 2)
        world.act(depth)


@timestamp("generator")
def generator(world, depth):
    with TOLD["generator"](world):
        world.act(depth)
    yield


def runs_generator(world, depth):
    list(generator(world, depth))


def block(world, depth):
    with timestamp_block("block"), TOLD["block"](world):
        world.act(depth)


World.kinds = [function, recursive, runs_generator, block]


@pytest.mark.parametrize("seed", seeds(6))
def test_random_greenlets(recording, seed):
    world = World(seed)
    with recording:
        world.run()
        gc.collect()
    profile = recording.profile.check()
    assert sum(world.calls.values()) > 500
    assert profile.counts() == world.calls
    assert {pair: calls for pair, (calls, _) in profile.pairs().items()} == world.pairs
    assert profile.counts("raised", "open", "suspended") == {name: (raised, 0, 0) for name, raised in world.raised.items()}
    count_events(2 * sum(world.calls.values()))


# ---- single stories ----


def test_each_thread_has_greenlets_of_its_own(recording):
    worlds = [World(seed) for seed in range(3)]
    threads = [threading.Thread(target=world.run) for world in worlds]
    with recording:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    calls = {}
    for world in worlds:
        for name, count in world.calls.items():
            calls[name] = calls.get(name, 0) + count
    assert recording.profile.check().counts() == calls


@timestamp("deep")
def deep(n, at_the_bottom):
    if n:
        deep(n - 1, at_the_bottom)
    else:
        at_the_bottom()


def test_deep_stacks_change_places(recording):
    def run():
        deep(99, main.switch)

    with recording:
        main, others = getcurrent(), [switch_class(run) for _ in range(3)]
        for other in others:
            other.switch()
        deep(49, others[1].switch)
        middle = recording.profile
        for other in others[::2]:
            other.switch()
    site = middle.site("deep")
    assert (site["calls"], site["open"], site["suspended"]) == (350, 200, 200)
    site = recording.profile.check().site("deep")
    assert (site["calls"], site["primitive_calls"], site["open"], site["ended"]) == (350, 4, 0, 350)


@timestamp("dropped")
def dropped():
    try:
        getcurrent().parent.switch()
    finally:
        cleans_up()


@timestamp("cleans up")
def cleans_up():
    pass


def test_a_greenlet_that_is_dropped_ends_its_calls(recording):
    with recording:
        for _ in range(10):
            other = switch_class(dropped)
            other.switch()
            del other
    assert recording.profile.check().counts("calls", "raised", "open") == {"dropped": (10, 10, 0), "cleans up": (10, 0, 0)}


@timestamp("begun before")
def begun_before():
    main = getcurrent().parent
    main.switch()
    cleans_up()
    main.switch()


def test_recording_begins_and_ends_while_greenlets_are_within_calls(recording):
    early = switch_class(begun_before)
    early.switch()
    with recording:
        late = switch_class(begun_before)
        late.switch()
        early.switch()
    late.switch()
    early.switch()
    profile = recording.profile
    profile.check_sums()
    assert profile.counts("calls", "open") == {"begun before": (1, 1), "cleans up": (1, 0)}
    assert profile.pairs() == {(None, "begun before"): (1, 1), (None, "cleans up"): (1, 1)}


def test_a_collector_is_of_the_greenlet_that_entered_it():
    main = getcurrent()

    def stranger():
        while True:
            cleans_up()
            main.switch()

    other = switch_class(stranger)
    with Timestamp_Collector() as collector:
        deep(4, other.switch)
        other.switch()
        cleans_up()
    assert {name: calls for name, calls, *_ in collector.timings()} == {"deep": 5, "cleans up": 1}


def test_blocks_of_tasks_that_take_turns_within_a_greenlet(recording):
    """What is put aside and brought back may end out of order, too."""

    async def task(name, pause):
        with timestamp_block(name):
            for _ in range(3):
                main.switch()
                await asyncio.sleep(pause)

    async def tasks():
        await asyncio.gather(task("one", 0), task("two", 0), task("three", 0.01))

    with recording:
        main = getcurrent()
        other = switch_class(lambda: asyncio.run(tasks()))
        while not other.dead:
            with timestamp_block("main"):
                other.switch()
    profile = recording.profile.check()
    assert {name: profile.site(name)["calls"] for name in ("one", "two", "three")} == {"one": 1, "two": 1, "three": 1}
    assert profile.site("main")["calls"] == 10 and not any(site["open"] for site in profile.sites.values())


def test_greenlet_comes_while_recording_runs(program):
    """A program may import it late: what was open on the stack that runs stays open, and nothing is invented."""
    p = program(
        """
        import sys, timestamp_capture
        from timestamp_capture import timestamp

        @timestamp
        def main():
            call()
            import greenlet
            late(greenlet)

        @timestamp
        def call(): pass

        def late(greenlet):
            @timestamp
            def ping(): other.switch()
            @timestamp
            def pong(): here.switch()
            def run():
                while True: pong()
            here, other = greenlet.getcurrent(), greenlet.greenlet(run)
            for _ in range(100): ping()
            call()

        assert "greenlet" not in sys.modules
        timestamp_capture.start()
        main()
        checkpoint()
        """
    )
    p.wait()
    profile = p.dump().check()
    name = "late.<locals>."
    assert profile.counts("calls", "raised", "open") == {"main": (1, 0, 0), "call": (2, 0, 0), name + "ping": (100, 0, 0), name + "pong": (100, 1, 0)}
    assert profile.pairs() == {(None, "main"): (1, 1), ("main", "call"): (2, 2), ("main", name + "ping"): (100, 100), (None, name + "pong"): (100, 100)}
    p.finish()


def test_a_collector_left_on_another_greenlet(recording):
    main = getcurrent()
    for recorded in (False, True):
        if recorded:
            recording.__enter__()
        collector = Timestamp_Collector()

        def enters():
            collector.__enter__()
            deep(2, main.switch)
            cleans_up()

        other = switch_class(enters)
        other.switch()
        collector.__exit__(None, None, None)
        cleans_up()
        other.switch()
        if recorded:
            recording.__exit__()
            assert recording.profile.check().counts("calls", "open") == {"default": (1, 0), "deep": (3, 0), "cleans up": (2, 0)}


def test_collectors_of_many_greenlets(recording):
    """Each has the calls of its own greenlet, whatever the others do meanwhile."""

    def enters(n):
        for _ in range(5):
            with Timestamp_Collector(f"collector {n}") as collector:
                for _ in range(n):
                    deep(n, main.switch)
                    cleans_up()
            seen.append((n, {name: calls for name, calls, *_ in collector.timings()}))

    main, seen = getcurrent(), []
    others = [switch_class(enters) for _ in range(1, 8)]
    with recording:
        for n, other in enumerate(others, 1):
            other.switch(n)
        while not all(other.dead for other in others):
            for other in others:
                if not other.dead:
                    other.switch()
    assert len(seen) == 5 * 7
    for n, calls in seen:
        assert calls == {"deep": n * (n + 1), "cleans up": n}
    profile = recording.profile.check()
    assert profile.counts()["deep"] == 5 * sum(n * (n + 1) for n in range(1, 8))
    assert {pair: calls for pair, (calls, _) in profile.pairs().items() if pair[0] and pair[0].startswith("collector")} == {
        (f"collector {n}", name): 5 * calls for n in range(1, 8) for name, calls in (("deep", n), ("cleans up", n))
    }
