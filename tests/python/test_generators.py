"""Generators, coroutines and async generators: one call each, from the first resume on; closed, thrown into, collected,
cancelled, handed between threads. Time is theirs only while they run."""
import asyncio
import gc
import os
import random
import sys
import threading
import time

import pytest

import timestamp_capture
from reading import SILENT_CLOSE, dump
from timestamp_capture import timestamp


@timestamp
def numbers(n):
    for i in range(n):
        yield i
    return "done"


@timestamp
def guarded():
    try:
        yield 1
        yield 2
    finally:
        leaf()


@timestamp
def catcher():
    try:
        yield 1
    except ValueError:
        yield "caught"


@timestamp
def boom():
    yield 1
    raise KeyError


@timestamp
def delegate(inner):
    return (yield from inner)


@timestamp
def leaf():
    pass


@timestamp
def calls_leaf():
    leaf()
    yield 1
    leaf()
    yield 2


@timestamp
async def awaits(x=None):
    return await x if x is not None else 1


@timestamp
async def sleeps():
    await asyncio.sleep(0)
    return 1


@timestamp
async def forever():
    await asyncio.sleep(100)


@timestamp
async def async_numbers(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i


class Context:
    @timestamp
    async def __aenter__(self):
        await asyncio.sleep(0)

    @timestamp
    async def __aexit__(self, *_):
        return True


def throws(generator, error):
    try:
        generator.throw(error)
    except (ValueError, KeyError):
        pass


def started(generator):
    next(generator)
    return generator


def in_a_cycle(generator):
    cycle = [generator]
    cycle.append(cycle)


async def gathered():
    await asyncio.gather(sleeps(), sleeps())


async def cancelled(coroutine, early=False):
    task = asyncio.ensure_future(coroutine)
    if not early:
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass


async def collects(agen):
    return [x async for x in agen]


async def breaks_off(agen):
    async for _ in agen:
        break
    await agen.aclose()


async def drops(agen):
    async for _ in agen:
        break


async def in_context():
    async with Context():
        raise KeyError


def raising(function):
    try:
        function()
    except KeyError:
        pass


# What happens -> name: (calls, of them ended by an exception, still open, suspended).
ENDED = (1, 0, 0, 0)
RAISED = (1, 1, 0, 0)
CLOSED = (1, 0, 1, 1) if SILENT_CLOSE else RAISED
STORIES = {
    "runs out": (lambda: list(numbers(3)), {"numbers": ENDED}),
    "empty": (lambda: list(numbers(0)), {"numbers": ENDED}),
    "raises": (lambda: raising(lambda: list(boom())), {"boom": RAISED}),
    "closed while suspended": (lambda: started(numbers(3)).close(), {"numbers": CLOSED}),
    "closed while suspended in a try": (lambda: started(guarded()).close(), {"guarded": RAISED, "leaf": ENDED}),
    "closed before it began": (lambda: numbers(3).close(), {}),
    "collected before it began": (lambda: numbers(3), {}),
    "thrown into before it began": (lambda: throws(catcher(), ValueError), {}),
    "coroutine thrown into before it began": (lambda: throws(awaits(), ValueError), {}),
    "thrown into, caught": (lambda: throws(started(catcher()), ValueError), {"catcher": RAISED}),
    "thrown into, not caught": (lambda: throws(started(numbers(3)), ValueError), {"numbers": RAISED}),
    "collected while suspended": (lambda: started(numbers(3)) and None, {"numbers": CLOSED}),
    "collected while suspended in a try": (lambda: started(guarded()) and None, {"guarded": RAISED, "leaf": ENDED}),
    "collected by the collector": (lambda: in_a_cycle(started(guarded())), {"guarded": RAISED, "leaf": ENDED}),
    "asked again after its end": (lambda: [list(g) for g in [numbers(2)] for _ in range(3)], {"numbers": ENDED}),
    "sent into": (lambda: (started(g := numbers(3)).send(5), list(g)), {"numbers": ENDED}),
    "calls another": (lambda: list(calls_leaf()), {"calls_leaf": ENDED, "leaf": (2, 0, 0, 0)}),
    "unpacked, sorted, mapped": (lambda: (sorted(numbers(2)), [*numbers(2)], list(map(str, numbers(1)))), {"numbers": (3, 0, 0, 0)}),
    "yield from": (lambda: list(delegate(numbers(2))), {"delegate": ENDED, "numbers": ENDED}),
    "yield from, closed": (lambda: started(delegate(guarded())).close(), {"delegate": RAISED, "guarded": RAISED, "leaf": ENDED}),
    "yield from, thrown into, caught inside": (lambda: (throws(started(g := delegate(catcher())), ValueError), list(g)), {"delegate": ENDED, "catcher": ENDED}),
    "yield from, raises": (lambda: raising(lambda: list(delegate(boom()))), {"delegate": RAISED, "boom": RAISED}),
    "coroutine": (lambda: asyncio.run(awaits()), {"awaits": ENDED}),
    "coroutines in a chain": (lambda: asyncio.run(awaits(awaits(sleeps()))), {"awaits": (2, 0, 0, 0), "sleeps": ENDED}),
    "gathered tasks": (lambda: asyncio.run(gathered()), {"sleeps": (2, 0, 0, 0)}),
    "cancelled task": (lambda: asyncio.run(cancelled(forever())), {"forever": RAISED}),
    "cancelled task, two deep": (lambda: asyncio.run(cancelled(awaits(forever()))), {"awaits": RAISED, "forever": RAISED}),
    "cancelled before it began": (lambda: asyncio.run(cancelled(forever(), early=True)), {}),
    "never awaited": (lambda: awaits().close(), {}),
    "async for": (lambda: asyncio.run(collects(async_numbers(3))), {"async_numbers": ENDED}),
    "async for, broken off": (lambda: asyncio.run(breaks_off(async_numbers(3))), {"async_numbers": RAISED}),
    "async for, dropped": (lambda: asyncio.run(drops(async_numbers(3))), {"async_numbers": RAISED}),
    "async with": (lambda: asyncio.run(in_context()), {"Context.__aenter__": ENDED, "Context.__aexit__": ENDED}),
}


@pytest.mark.parametrize("happens, expected", STORIES.values(), ids=STORIES.keys())
def test_story(happens, expected, recording):
    with recording:
        happens()
        gc.collect()
        profile = recording.profile
    assert profile.counts("calls", "raised", "open", "suspended") == expected
    profile.check_sums()
    assert not profile["losses"]["mismatched"]


@pytest.mark.parametrize("happens, expected", STORIES.values(), ids=STORIES.keys())
def test_story_many_times(happens, expected, recording):
    """The same memory is used again for the next generator."""
    with recording:
        for _ in range(20):
            happens()
        gc.collect()
        profile = recording.profile
    assert profile.counts() == {name: 20 * values[0] for name, values in expected.items()}
    profile.check_sums()


def test_time_is_theirs_only_while_they_run(recording):
    @timestamp("waits")
    def waits():
        yield
        yield

    with recording:
        generator = waits()
        before = time.perf_counter_ns()
        next(generator)
        time.sleep(0.05)
        assert recording.profile.counts("suspended", "open") == {"waits": (1, 1)}
        list(generator)
        end = time.perf_counter_ns()
    site = recording.profile.check().site("waits")
    assert site["inclusive_ns"] <= end - before - 50_000_000
    assert 50_000_000 <= site["waited_ns"] <= end - before


def bracketed_sleep(naps):
    """A coroutine that notes the time at its first and last line."""

    async def sleeper():
        began = time.perf_counter_ns()
        for nap in naps:
            await asyncio.sleep(nap)
        brackets.append(time.perf_counter_ns() - began)

    brackets = []
    return timestamp("sleeper")(sleeper), brackets


def test_elapsed_time_is_from_the_first_start_to_the_final_return(recording):
    """Of tasks that wait side by side as of one alone: each its own."""
    sleeper, inside = bracketed_sleep([0.02, 0, 0.03])
    outside = []

    async def timed():
        began = time.perf_counter_ns()
        await sleeper()
        outside.append(time.perf_counter_ns() - began)

    async def tasks():
        await timed()
        await asyncio.gather(*[timed() for _ in range(20)])

    with recording:
        asyncio.run(tasks())
    site = recording.profile.check().site("sleeper")
    assert (site["calls"], site["ended"], site["suspended"], site["open"]) == (21, 21, 0, 0)
    assert 21 * 50_000_000 <= sum(inside) <= site["elapsed_ns"] <= sum(outside)
    assert site["elapsed_ns"] - site["waited_ns"] == pytest.approx(site["inclusive_ns"], abs=2)
    assert site["exclusive_ns"] == site["inclusive_ns"] <= sum(outside) - 21 * 50_000_000


def test_elapsed_time_of_calls_within_calls_counts_once(recording):
    async def the_loop_sleeps():
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        loop.call_soon(lambda: (time.sleep(0.02), done.set_result(None)))  # once all ten wait
        await done

    @timestamp("nested")
    async def nested(n):
        await (nested(n - 1) if n else the_loop_sleeps())

    with recording:
        began = time.perf_counter_ns()
        asyncio.run(nested(9))
        elapsed = time.perf_counter_ns() - began
    profile = recording.profile.check()
    site = profile.site("nested")
    assert (site["calls"], site["primitive_calls"]) == (10, 1)
    assert 20_000_000 <= site["elapsed_ns"] <= elapsed
    assert site["waited_ns"] >= 10 * 20_000_000, "each of the ten waited"


def test_elapsed_time_of_what_does_not_wait_is_its_inclusive_time(recording):
    @timestamp("calls a sleeper")
    def calls_a_sleeper():
        asyncio.run(sleeps())

    with recording:
        calls_a_sleeper(), leaf(), list(numbers(0))
    for site in recording.profile.check().sites.values():
        if site["name"] != "sleeps":
            assert site["elapsed_ticks"] == site["inclusive_ticks"] and site["waited_ns"] == 0


def test_resumed_under_whoever_resumes_it(recording):
    @timestamp
    def resumer(generator):
        return next(generator)

    with recording:
        generator = numbers(5)
        resumer(generator), next(generator), resumer(generator)
        list(generator)
    profile = recording.profile.check()
    assert profile.counts() == {"numbers": 1, resumer.__qualname__: 2}
    # one call, and it was counted where it began
    assert profile.pairs() == {(None, resumer.__qualname__): (2, 2), (resumer.__qualname__, "numbers"): (1, 1)}


def test_started_before_recording(recording):
    generator = numbers(3)
    next(generator)
    with recording:
        list(generator)
        leaf()
    profile = recording.profile
    profile.check_sums()
    assert profile.counts() == {"leaf": 1}, "its time counts, the call does not"


def test_goes_on_after_recording(recording):
    generator = numbers(4)
    with recording:
        next(generator)
    next(generator)
    with_again = recording.profile
    assert with_again.calls("numbers") == 1
    assert timestamp_capture.start()
    list(generator)
    timestamp_capture.stop()
    profile = recording.profile
    profile.check_sums()
    assert profile.calls("numbers") == 1


def test_many_suspended_at_a_time(recording):
    with recording:
        waiting = [started(numbers(2)) for _ in range(3000)]
        site = recording.profile.site("numbers")
        assert (site["calls"], site["open"], site["suspended"]) == (3000, 3000, 3000)
        for generator in waiting:
            list(generator)
    profile = recording.profile.check()
    assert profile.counts("calls", "open", "suspended", "ended") == {"numbers": (3000, 0, 0, 3000)}


# ---- random ones on three threads, against counters in their bodies ----


class Truth:
    def __init__(self):
        self.began = self.returned = self.raised = 0


truth = {}
lock = threading.Lock()


def note(name, what):
    with lock:
        counts = truth.setdefault(name, Truth())
        setattr(counts, what, getattr(counts, what) + 1)


def counting(name):
    class Counting:
        def __enter__(self):
            note(name, "began")

        def __exit__(self, kind, *_):
            note(name, "raised" if kind else "returned")

    return Counting()


@timestamp("random coroutine")
async def random_coroutine(depth, rnd):
    with counting("random coroutine"):
        for _ in range(rnd.randrange(3)):
            p = rnd.random()
            if p < 0.3:
                await asyncio.sleep(0)
            elif p < 0.5 and depth < 6:
                await random_coroutine(depth + 1, rnd)
            elif p < 0.7:
                async for _ in random_async_generator(rnd):
                    pass
            elif p < 0.8:
                raise KeyError
            elif p < 0.9 and depth < 6:
                task = asyncio.ensure_future(random_coroutine(depth + 1, rnd))
                await asyncio.sleep(0)
                task.cancel()
                try:
                    await task
                except (asyncio.CancelledError, KeyError):
                    pass
            else:
                sum(random_generator(depth, rnd))


@timestamp("random async generator")
async def random_async_generator(rnd):
    with counting("random async generator"):
        for i in range(rnd.randrange(3)):
            if rnd.random() < 0.3:
                await asyncio.sleep(0)
            yield i


@timestamp("random generator")
def random_generator(depth, rnd):
    with counting("random generator"):
        for i in range(rnd.randrange(3)):
            if depth < 6 and rnd.random() < 0.4:
                yield from random_generator(depth + 1, rnd)
            yield i


def random_work(seed, pool, tasks):
    rnd = random.Random(seed)

    async def everything():
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        await asyncio.gather(*[random_coroutine(0, rnd) for _ in range(tasks)], return_exceptions=True)

    asyncio.run(everything())
    while pool:
        try:
            generator = pool.pop(rnd.randrange(len(pool)))
            next(generator)
            pool.append(generator)
        except (StopIteration, IndexError, ValueError):
            pass


def run_three(tasks):
    pool = [random_generator(0, random.Random(i)) for i in range(300)]
    threads = [threading.Thread(target=random_work, args=(seed, pool, tasks)) for seed in range(3)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(2e-5)
    for thread in threads:
        thread.start()
    return threads, lambda: sys.setswitchinterval(interval)


def test_random_ones_on_three_threads(recording):
    truth.clear()
    with recording:
        threads, restore = run_three(500)
        for thread in threads:
            thread.join()
        restore()
        gc.collect()
    profile = recording.profile
    profile.check_sums()
    assert profile["lost"] == profile["losses"]["mismatched"] == 0
    assert profile.counts("calls", "raised") == {name: (t.began, t.raised) for name, t in truth.items()}
    for name, t in truth.items():
        assert profile.site(name)["open"] == t.began - t.raised - t.returned, name
    assert sum(t.began for t in truth.values()) > 2000


def test_random_ones_while_recording_comes_and_goes(recording):
    truth.clear()
    timestamp_capture.reset()
    threads, restore = run_three(1000)
    while True:
        timestamp_capture.start()
        time.sleep(0.003)
        timestamp_capture.stop()
        time.sleep(0.001)
        if not any(thread.is_alive() for thread in threads):
            break
    restore()
    profile = dump(os.getpid())
    profile.check_sums()
    assert profile["lost"] == profile["losses"]["mismatched"] == 0
    for name, t in truth.items():
        assert profile.calls(name) <= t.began


@pytest.mark.parametrize("resume", [next, lambda generator: generator.throw(ValueError)], ids=["next", "throw"])
def test_suspended_before_recording_began(recording, resume):
    """Its call is seen from where it goes on, however it goes on, and every other call is exact."""

    @timestamp("goes on")
    def goes_on():
        for _ in range(3):
            try:
                yield
            except ValueError:
                pass
            leaf()

    generator = started(goes_on())
    with recording:
        resume(generator)
        resume(generator)
    assert recording.profile.check().pairs()["goes on", "leaf"] == (2, 2)


def test_as_many_may_wait_as_there_is_memory_for(program):
    """Each is one call, each goes on where it waited: nothing is lost."""
    p = program(
        """
        import timestamp_capture
        from timestamp_capture import timestamp

        @timestamp
        def waits():
            yield
            yield

        timestamp_capture.start()
        many = [waits() for _ in range(70_000)]
        for _ in range(2):
            for one in many: next(one)
        checkpoint()
        for one in many: next(one, None)
        checkpoint()
        """
    )
    for suspended in (70_000, 0):
        p.wait()
        site = p.dump().check().site("waits")
        assert (site["calls"], site["open"], site["suspended"]) == (70_000, suspended, suspended)
        p.go()
    assert site["ended"] == 70_000
    p.finish()
