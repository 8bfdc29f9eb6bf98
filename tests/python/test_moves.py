"""Generators and coroutines that change threads: begun on one, gone on with and ended on another. One call, which is open
and suspended as long as it is, wherever it is; and what of those that recording did not see begin."""
import asyncio
import gc
import random
import sys
import threading

import pytest

import timestamp_capture
from reading import SILENT_CLOSE, dump
from timestamp_capture import timestamp

KEPT_THREADS = 256  # ended ones with rows of their own; older ones are merged


@timestamp
def holder():
    try:
        yield 1
        yield 2
    finally:
        leaf()


@timestamp
def bare():
    yield 1
    yield 2


@timestamp
def breaker():
    yield 1
    raise KeyError


@timestamp
def leaf():
    pass


def started(generator):
    next(generator)
    return generator


def runs_out(generator):
    for _ in generator:
        pass


def closes(generator):
    generator.close()


def throws(generator):
    try:
        generator.throw(ValueError)
    except ValueError:
        pass


def raises(generator):
    try:
        next(generator)
    except KeyError:
        pass


def on_a_thread(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    thread.join()


def short_threads(count):
    for _ in range(count):
        on_a_thread(leaf)


def state(recording, name, *keys):
    profile = recording.profile.check()
    site = profile.site(name)
    assert site["calls"] == site["ended"] + site["open"], site
    return tuple(site[key] for key in keys or ("calls", "raised", "open", "suspended"))


ENDS = pytest.mark.parametrize("end, raised", [(runs_out, 0), (closes, 1), (throws, 1)], ids=["runs out", "closed", "thrown into"])


@ENDS
@pytest.mark.parametrize("ring", ["in the ring", "folded"])
def test_ends_on_another_thread(recording, end, raised, ring):
    with recording:
        generators, stay = [started(holder()) for _ in range(10)], [started(holder()) for _ in range(3)]
        if ring == "folded":
            for _ in range(30_000):
                leaf()
        for generator in generators[:5]:
            on_a_thread(next, generator)
        assert state(recording, "holder") == (13, 0, 13, 13)
        for generator in generators:
            on_a_thread(end, generator)
        assert state(recording, "holder") == (13, 10 * raised, 3, 3)
        del generators, generator  # their memory is used again
        again = [started(holder()) for _ in range(10)]
        assert state(recording, "holder") == (23, 10 * raised, 13, 13)
        for generator in again + stay:
            end(generator)
    assert state(recording, "holder") == (23, 23 * raised, 0, 0)


@ENDS
def test_began_on_a_thread_that_has_ended(recording, end, raised):
    """Its lane has no ring any more, or has been merged and is another thread's."""
    rows = []
    with recording:
        for _ in range(4):
            on_a_thread(lambda: rows.append(started(holder())))
        end(rows.pop())
        assert state(recording, "holder") == (4, raised, 3, 3)
        short_threads(KEPT_THREADS + 10)
        assert state(recording, "holder") == (4, raised, 3, 3)
        end(rows.pop())
        next(rows[0])  # waits here from now on
        assert state(recording, "holder") == (4, 2 * raised, 2, 2)
        on_a_thread(end, rows.pop())
        end(rows.pop())
    assert state(recording, "holder") == (4, 4 * raised, 0, 0)


def test_there_and_back_again(recording):
    @timestamp("pendulum")
    def pendulum():
        for _ in range(50):
            yield

    with recording:
        generator = started(pendulum())
        for i in range(49):
            on_a_thread(next, generator) if i % 3 else next(generator)
        assert state(recording, "pendulum") == (1, 0, 1, 1)
        on_a_thread(runs_out, generator)
    assert state(recording, "pendulum") == (1, 0, 0, 0)
    site = recording.profile.site("pendulum")
    # one duration, that of all it ran; each wait is in no other
    assert site["min_ns"] == site["max_ns"] == pytest.approx(site["inclusive_ns"], abs=2)
    assert site["elapsed_ticks"] > site["inclusive_ticks"]
    assert site["elapsed_ns"] <= recording.profile["session"]["stopped_ns"] - recording.profile["session"]["started_ns"]


def test_collected_on_another_thread(recording):
    def in_a_cycle():
        box = [started(holder())]
        box.append(box)

    with recording:
        box = [started(holder())]
        on_a_thread(box.clear)
        gc.disable()
        try:
            in_a_cycle()
            on_a_thread(gc.collect)
        finally:
            gc.enable()
    assert state(recording, "holder") == (2, 2, 0, 0)


def test_ends_without_an_event_on_another_thread(recording):
    """Where closing fires none, it is seen when the memory is used again, on whatever thread."""
    with recording:
        generators = [started(bare()) for _ in range(50)]
        on_a_thread(lambda: [generator.close() for generator in generators])
        closed = recording.profile.counts("calls", "raised", "suspended")
        generators.clear()
        on_a_thread(lambda: generators.extend(started(bare()) for _ in range(50)))
        profile = recording.profile
        for generator in generators:
            runs_out(generator)
    silent = profile["losses"]["silent_ends"]
    assert closed == {"bare": (50, 0, 50) if SILENT_CLOSE else (50, 50, 0)}
    assert (silent > 0) == SILENT_CLOSE
    assert profile.site("bare")["suspended"] == profile.site("bare")["open"] == (100 - silent if SILENT_CLOSE else 50)


def test_coroutine_on_the_loop_of_another_thread(recording):
    @timestamp("hops")
    async def hops():
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return 7

    def go_on(coroutine, results):
        async def as_a_task():
            loop = asyncio.get_running_loop()
            results.append(await loop.create_task(coroutine))

        asyncio.run(as_a_task())

    with recording:
        coroutines, results = [hops() for _ in range(5)], []
        for coroutine in coroutines:
            coroutine.send(None)
        assert state(recording, "hops") == (5, 0, 5, 5)
        for coroutine in coroutines[1:]:
            on_a_thread(go_on, coroutine, results)
        assert state(recording, "hops") == (5, 0, 1, 1)
        go_on(coroutines[0], results)
    assert results == [7] * 5
    assert state(recording, "hops") == (5, 0, 0, 0)


def test_async_generator_closed_on_another_thread(recording):
    @timestamp("numbers")
    async def numbers():
        try:
            for i in range(3):
                await asyncio.sleep(0)
                yield i
        finally:
            await asyncio.sleep(0)

    def in_a_loop(coroutine):
        loop = asyncio.new_event_loop()  # asyncio.run() would close what it began
        try:
            loop.run_until_complete(coroutine)
        finally:
            loop.close()

    async def first(agen):
        assert await agen.__anext__() == 0

    async def close(agen):
        await agen.aclose()

    with recording:
        agens = [numbers() for _ in range(4)]
        for agen in agens:
            in_a_loop(first(agen))
        assert state(recording, "numbers") == (4, 0, 4, 4)
        for agen in agens[:3]:
            on_a_thread(in_a_loop, close(agen))
        assert state(recording, "numbers") == (4, 3, 1, 1)
        in_a_loop(close(agens[3]))
    assert state(recording, "numbers") == (4, 4, 0, 0)


# ---- recording begins, pauses, is reset, in between ----


def test_goes_on_while_nobody_records(recording):
    """What was suspended when recording ended is what it was then: nobody saw its end."""
    with recording:
        generators = [started(holder()) for _ in range(5)]
    for generator in generators[:3]:
        on_a_thread(runs_out, generator)
    assert state(recording, "holder") == (5, 0, 5, 5)
    timestamp_capture.start()
    on_a_thread(runs_out, generators[3])
    timestamp_capture.stop()
    assert state(recording, "holder") == (5, 0, 4, 4)


def test_stopped_while_it_runs_and_resumed_elsewhere(recording):
    """Closed at the stop, and open for ever: what it does later is no call's."""

    @timestamp("stops")
    def stops():
        timestamp_capture.stop()
        yield
        raise KeyError

    with recording:
        generator = started(stops())
        timestamp_capture.start()
        on_a_thread(raises, generator)
    assert state(recording, "stops") == (1, 0, 1, 0)


def test_reset_in_between(recording):
    with recording:
        generators = [started(breaker()) for _ in range(4)] + [started(holder())]
        timestamp_capture.reset()
        raises(generators[0])
        for generator in generators[1:4]:
            on_a_thread(raises, generator)
        on_a_thread(next, generators[4])
        fresh = started(breaker())
        on_a_thread(raises, fresh)
        assert state(recording, "breaker") == (1, 1, 0, 0)
        assert recording.profile.counts() == {"breaker": 1}
        runs_out(generators[4])
    assert recording.profile.check().counts("calls", "raised", "open") == {"breaker": (1, 1, 0), "leaf": (1, 0, 0)}


@pytest.mark.parametrize("where", [lambda f, *a: f(*a), on_a_thread], ids=["here", "on another thread"])
@pytest.mark.parametrize("make, end", [(breaker, raises), (holder, closes), (holder, throws), (holder, runs_out)])
def test_began_before_recording(recording, make, end, where):
    """Neither a call nor one that raised: what it calls, and its time, count."""
    generator, twice = started(make()), started(make())
    with recording:
        where(end, generator)
        if make is holder:  # suspended as one that does not count, and ended then
            next(twice)
        where(end, twice)
    profile = recording.profile.check()
    site = profile.site(make.__name__)
    assert (site["calls"], site["raised"], site["open"], site["suspended"], site["ended"]) == (0, 0, 0, 0, 0)
    assert site["inclusive_ticks"] > 0
    assert profile.calls("leaf") == (2 if make is holder else 0)


def test_a_fork_in_between(program):
    p = program(
        """
    import os, threading, timestamp_capture
    from timestamp_capture import timestamp

    @timestamp
    def breaker():
        yield 1
        raise KeyError

    def raises(generator):
        try: next(generator)
        except KeyError: pass

    def on_a_thread(generator):
        thread = threading.Thread(target=raises, args=(generator,))
        thread.start()
        thread.join()

    timestamp_capture.start()
    generators = [breaker() for _ in range(3)]
    for generator in generators: next(generator)
    on_a_thread(generators[0])
    pid = os.fork()
    if pid == 0:
        timestamp_capture.start()
        on_a_thread(generators[1])
        raises(generators[2])
        fresh = breaker()
        next(fresh)
        on_a_thread(fresh)
        checkpoint(pid=os.getpid())
        os._exit(0)
    os.waitpid(pid, 0)
    on_a_thread(generators[1])
    checkpoint()
    """
    )
    child = dump(p.wait()["pid"]).check()
    p.go()
    p.wait()
    assert child.counts("calls", "raised", "open", "suspended") == {"breaker": (1, 1, 0, 0)}
    assert p.dump().check().counts("calls", "raised", "open", "suspended") == {"breaker": (3, 2, 1, 1)}
    p.end()


# ---- random orders, against counters in the bodies ----


class Truth:
    """What the generators themselves know."""

    def __init__(self):
        self.lock = threading.Lock()
        self.begun = self.returned = self.raised = 0

    def add(self, what):
        with self.lock:
            setattr(self, what, getattr(self, what) + 1)


def travelling(truth):
    @timestamp("traveller")
    def traveller(rnd, depth):
        truth.add("begun")
        how = "raised"
        try:
            for _ in range(rnd.randrange(6)):
                leaf()
                if depth and rnd.random() < 0.3:
                    yield from traveller(rnd, depth - 1)
                yield
            if rnd.random() < 0.3:
                raise KeyError
            how = "returned"
        finally:
            truth.add(how)

    return traveller


def act(rnd, generator):
    """True: it may be acted on again."""
    p = rnd.random()
    try:
        if p < 0.75:
            next(generator)
        elif p < 0.85:
            generator.throw(KeyError)
        elif p < 0.95:
            generator.close()
        else:
            return False  # dropped, and collected here
    except (StopIteration, KeyError):
        pass
    return generator.gi_frame is not None


def travel(seed, traveller, bag, lock, steps):
    rnd = random.Random(seed)
    for _ in range(steps):
        with lock:
            generator = bag.pop(rnd.randrange(len(bag))) if len(bag) > 20 else None
        generator = generator or traveller(rnd, 2)
        if act(rnd, generator):
            with lock:
                bag.append(generator)
        del generator


def expect(profile, truth):
    profile.check()
    waiting = truth.begun - truth.returned - truth.raised
    site = profile.site("traveller")
    assert (site["calls"], site["raised"], site["open"], site["suspended"]) == (truth.begun, truth.raised, waiting, waiting)
    assert site["ended"] == truth.returned + truth.raised


def test_random_orders_on_threads_that_come_and_go(recording):
    truth, bag, lock = Truth(), [], threading.Lock()
    traveller = travelling(truth)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(2e-5)
    try:
        with recording:
            for generation in range(6):
                threads = [threading.Thread(target=travel, args=(10 * generation + i, traveller, bag, lock, 400)) for i in range(4)]
                for thread in threads:
                    thread.start()
                travel(1000 + generation, traveller, bag, lock, 200)
                for thread in threads:
                    thread.join()
                if generation == 3:
                    short_threads(KEPT_THREADS)
                expect(recording.profile, truth)
            bag.clear()
            gc.collect()
            expect(recording.profile, truth)
            assert truth.begun == truth.returned + truth.raised > 1000
    finally:
        sys.setswitchinterval(interval)


def test_read_while_calls_change_threads(recording):
    """Each profile is whole; open calls are exact, or it says by how many they may be off."""
    waiting, done = 20, threading.Event()

    @timestamp("restless")
    def restless():
        while True:
            yield

    def to_and_fro(generators, turn, other):
        while not done.is_set():
            turn.acquire()
            for generator in generators:
                next(generator)
            other.release()

    turns = [threading.Semaphore(1), threading.Semaphore(0)]
    with recording:
        generators = [started(restless()) for _ in range(waiting)]
        threads = [threading.Thread(target=to_and_fro, args=(generators, turns[i], turns[1 - i])) for i in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            profile = recording.profile
            site = profile.site("restless")
            assert site["calls"] == waiting
            assert abs(site["open"] - waiting) <= profile["losses"]["moving"]
        done.set()
        for turn in turns:
            turn.release()
        for thread in threads:
            thread.join()
        assert state(recording, "restless") == (waiting, 0, waiting, waiting)
