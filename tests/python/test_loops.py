"""Event loops: tasks, threads that they lend, timeouts, async generators and iterators, of asyncio and of uvloop. Calls
exact, each below the one that awaits it, time run and time awaited apart."""
import asyncio
import contextlib
import functools
import gc
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import timestamp_capture
from timestamp_capture import timestamp

NAP = 0.01  # seconds
NAP_NS = 10_000_000


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    """asyncio.run() or its like: a new loop, and all that is left over is ended."""
    if request.param == "asyncio":
        return asyncio.run
    return pytest.importorskip("uvloop", reason="uvloop is not to be had for this interpreter").run


@timestamp("leaf")
def leaf():
    pass


@timestamp("child")
async def child(naps=(0, 0)):
    leaf()
    for nap in naps:
        await asyncio.sleep(nap)
        leaf()
    return "child"


@timestamp("fails")
async def fails():
    await asyncio.sleep(0)
    raise KeyError


@timestamp("waits for ever")
async def waits_for_ever():
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        leaf()


@timestamp("numbers")
async def numbers(n):
    try:
        for i in range(n):
            await asyncio.sleep(0)
            yield i
    finally:
        leaf()


def once(*pairs):
    """As Profile.pairs() has them: one call each, recursive ones apart."""
    return {pair: (1, 1) for pair in pairs}


def several(n):
    return (n, n)


ENDED, RAISED = (1, 0, 0, 0), (1, 1, 0, 0)


def ends(profile):
    """name -> (calls, of them ended by an exception, still open, suspended)"""
    return profile.check().counts("calls", "raised", "open", "suspended")


# ---- tasks ----


def test_gather(recording, run):
    @timestamp("parent")
    async def parent():
        leaf()
        assert await asyncio.gather(*[child() for _ in range(10)]) == ["child"] * 10
        leaf()

    with recording:
        run(parent())
    profile = recording.profile
    assert ends(profile) == {"parent": ENDED, "child": (10, 0, 0, 0), "leaf": (32, 0, 0, 0)}
    # a task is run by the loop: who made it is not its caller
    assert profile.pairs() == {(None, "parent"): several(1), (None, "child"): several(10), ("parent", "leaf"): several(2), ("child", "leaf"): several(30)}


def test_gather_with_an_exception(recording, run):
    @timestamp("parent")
    async def parent():
        with pytest.raises(KeyError):
            await asyncio.gather(child((0,)), fails(), waits_for_ever())
        results = await asyncio.gather(fails(), child((0,)), return_exceptions=True)
        assert isinstance(results[0], KeyError)

    with recording:
        run(parent())  # which cancels what still waits
    profile = recording.profile
    assert ends(profile) == {"parent": ENDED, "child": (2, 0, 0, 0), "fails": (2, 2, 0, 0), "waits for ever": RAISED, "leaf": (5, 0, 0, 0)}
    assert profile.pairs()["waits for ever", "leaf"] == (1, 1)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="task groups came with 3.11")
def test_task_group(recording, run):
    @timestamp("parent")
    async def parent():
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(child())
            leaf()
        leaf()

    with recording:
        run(parent())
    profile = recording.profile
    assert ends(profile) == {"parent": ENDED, "child": (10, 0, 0, 0), "leaf": (32, 0, 0, 0)}
    assert profile.pairs() == {(None, "parent"): several(1), (None, "child"): several(10), ("parent", "leaf"): several(2), ("child", "leaf"): several(30)}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="task groups came with 3.11")
def test_task_group_with_an_exception(recording, run):
    @timestamp("parent")
    async def parent():
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(waits_for_ever())
            group.create_task(fails())

    with recording:
        with pytest.raises(BaseException) as caught:
            run(parent())
    assert isinstance(caught.value.exceptions[0], KeyError)
    profile = recording.profile
    assert ends(profile) == {"parent": RAISED, "fails": RAISED, "waits for ever": (5, 5, 0, 0), "leaf": (5, 0, 0, 0)}
    assert profile.pairs()["waits for ever", "leaf"] == (5, 5)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_eager_tasks_begin_under_who_makes_them(recording):
    """Not on uvloop: 0.22 hands the factory an argument that early 3.13 does not know."""

    @timestamp("parent")
    async def parent():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        tasks = [asyncio.ensure_future(child()) for _ in range(10)]
        leaf()
        for task in tasks:
            await task

    with recording:
        asyncio.run(parent())
    profile = recording.profile
    assert ends(profile) == {"parent": ENDED, "child": (10, 0, 0, 0), "leaf": (31, 0, 0, 0)}
    assert profile.pairs() == {(None, "parent"): several(1), ("parent", "child"): several(10), ("parent", "leaf"): several(1), ("child", "leaf"): several(30)}


def test_many_tasks_at_once(recording, run):
    async def main():
        await asyncio.gather(*[child((0,) * (i % 5)) for i in range(2000)])

    with recording:
        run(main())
    profile = recording.profile
    assert ends(profile) == {"child": (2000, 0, 0, 0), "leaf": (6000, 0, 0, 0)}
    assert profile.pairs() == {(None, "child"): several(2000), ("child", "leaf"): several(6000)}


def test_a_task_awaits_another_one(recording, run):
    """Nobody runs below who only waits for its result."""

    lived = []

    @timestamp("awaits a task")
    async def awaits_a_task():
        began = time.perf_counter_ns()
        await asyncio.ensure_future(child((NAP,)))
        lived.append(time.perf_counter_ns() - began)

    with recording:
        run(awaits_a_task())
    profile = recording.profile
    assert profile.check().pairs() == {(None, "awaits a task"): several(1), (None, "child"): several(1), ("child", "leaf"): several(2)}
    assert profile.site("awaits a task")["elapsed_ns"] >= lived[0]
    assert profile.site("awaits a task")["waited_ns"] > 0


# ---- awaiting ----


def test_nested_awaits(recording, run):
    """On each resume all of them come back, each below the one that awaits it."""
    levels = 40

    async def bottom():
        await child((0, 0, 0))

    def level(i, inner):
        async def at_level():
            result = await inner()
            leaf()
            return result

        return timestamp(f"level {i}")(at_level)

    top = functools.reduce(lambda inner, i: level(i, inner), range(levels), bottom)
    with recording:
        run(top())
    profile = recording.profile
    names = [f"level {i}" for i in range(levels - 1, -1, -1)]
    assert ends(profile) == {**{name: ENDED for name in names}, "child": ENDED, "leaf": (levels + 4, 0, 0, 0)}
    expected = once(*zip([None, *names], [*names, "child"]), *((name, "leaf") for name in names))
    assert profile.pairs() == {**expected, ("child", "leaf"): (4, 4)}


def test_an_awaitable_object(recording, run):
    class Awaitable:
        @timestamp("__await__")
        def __await__(self):
            yield from child((0,)).__await__()
            leaf()

    @timestamp("awaits")
    async def awaits():
        await Awaitable()
        await Awaitable()

    with recording:
        run(awaits())
    profile = recording.profile
    assert ends(profile) == {"awaits": ENDED, "__await__": (2, 0, 0, 0), "child": (2, 0, 0, 0), "leaf": (6, 0, 0, 0)}
    assert profile.pairs() == {
        (None, "awaits"): several(1),
        ("awaits", "__await__"): several(2),
        ("__await__", "child"): several(2),
        ("__await__", "leaf"): several(2),
        ("child", "leaf"): several(4),
    }


def test_time_awaited_and_time_run(recording, run):
    """By the program's own clock, read inside: what it ran for at least, what it waited for at least."""
    ran, lived = [], []

    def work():
        began = time.perf_counter_ns()
        while time.perf_counter_ns() - began < 1_000_000:
            pass
        return time.perf_counter_ns() - began

    @timestamp("inner")
    async def inner():
        began = time.perf_counter_ns()
        ran.append(work())
        await asyncio.sleep(NAP)
        ran.append(work())
        lived.append(time.perf_counter_ns() - began)

    @timestamp("outer")
    async def outer():
        await inner()

    async def main():
        await asyncio.gather(*[outer() for _ in range(8)])

    with recording:
        began = time.perf_counter_ns()
        run(main())
        whole = time.perf_counter_ns() - began
    profile = recording.profile.check()
    site, above = profile.site("inner"), profile.site("outer")
    assert site["calls"] == site["ended"] == above["ended"] == 8
    assert sum(ran) <= site["exclusive_ns"] <= above["inclusive_ns"] <= whole, "one runs at a time"
    assert sum(lived) <= site["elapsed_ns"] <= above["elapsed_ns"]
    for one in (site, above):
        assert one["elapsed_ticks"] >= one["inclusive_ticks"] >= one["exclusive_ticks"] >= 0
        assert one["elapsed_ns"] - one["waited_ns"] == pytest.approx(one["inclusive_ns"], abs=2)
    assert above["exclusive_ns"] <= whole - sum(ran), "its own time is not that of what it awaits"


# ---- threads that a loop lends ----


def test_to_thread(recording, run):
    threads, lived = set(), []

    @timestamp("work")
    def work(i):
        threads.add(threading.get_ident())
        leaf()
        if i == 3:
            raise KeyError
        time.sleep(NAP)

    @timestamp("asks")
    async def asks(i):
        began = time.perf_counter_ns()
        leaf()
        try:
            await asyncio.to_thread(work, i)
        except KeyError:
            pass
        leaf()
        lived.append(time.perf_counter_ns() - began)

    async def main():
        await asyncio.gather(*[asks(i) for i in range(8)])

    with recording:
        run(main())
    profile = recording.profile
    assert ends(profile) == {"asks": (8, 0, 0, 0), "work": (8, 1, 0, 0), "leaf": (24, 0, 0, 0)}
    assert profile.pairs() == {(None, "asks"): several(8), (None, "work"): several(8), ("asks", "leaf"): several(16), ("work", "leaf"): several(8)}
    assert profile.site("work")["inclusive_ns"] >= 7 * NAP_NS
    assert profile.site("work")["waited_ns"] == 0
    assert profile.site("asks")["elapsed_ns"] >= sum(lived)
    assert profile.site("asks")["waited_ns"] > 0
    assert threading.get_ident() not in threads
    assert sum(1 for thread in profile["threads"] if thread["roots"]) == 1 + len(threads)


def test_run_in_executor(recording, run):
    @timestamp("work")
    def work():
        leaf()
        return asyncio.run(child((0,)))  # a loop on that thread

    @timestamp("asks")
    async def asks(pool):
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    async def main():
        with ThreadPoolExecutor(3) as pool:
            assert await asyncio.gather(*[asks(pool) for _ in range(20)]) == ["child"] * 20

    with recording:
        run(main())
    profile = recording.profile
    assert ends(profile) == {"asks": (20, 0, 0, 0), "work": (20, 0, 0, 0), "child": (20, 0, 0, 0), "leaf": (60, 0, 0, 0)}
    assert profile.pairs() == {
        (None, "asks"): several(20),
        (None, "work"): several(20),
        ("work", "child"): several(20),
        ("work", "leaf"): several(20),
        ("child", "leaf"): several(40),
    }


def test_coroutines_handed_to_a_loop_on_another_thread(recording, run):
    @timestamp("hands over")
    def hands_over(loop):
        return [asyncio.run_coroutine_threadsafe(child((0,)), loop).result(60) for _ in range(10)]

    async def main():
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, hands_over, loop) == ["child"] * 10

    with recording:
        run(main())
    profile = recording.profile
    assert ends(profile) == {"hands over": ENDED, "child": (10, 0, 0, 0), "leaf": (20, 0, 0, 0)}
    assert profile.pairs() == {(None, "hands over"): several(1), (None, "child"): several(10), ("child", "leaf"): several(20)}


def test_callbacks_of_the_loop(recording, run):
    @timestamp("callback")
    def callback(done, *_):
        leaf()
        done.release()

    async def main():
        loop, done = asyncio.get_running_loop(), asyncio.Semaphore(0)
        loop.call_soon(callback, done)
        loop.call_later(0.001, callback, done)
        loop.call_soon_threadsafe(callback, done)
        asyncio.ensure_future(child()).add_done_callback(functools.partial(callback, done))
        for _ in range(4):
            await done.acquire()

    with recording:
        run(main())
    assert ends(recording.profile) == {"callback": (4, 0, 0, 0), "child": ENDED, "leaf": (7, 0, 0, 0)}
    assert recording.profile.pairs()["callback", "leaf"] == recording.profile.pairs()[None, "callback"] == (4, 4)


# ---- timeouts, cancellation ----


def test_wait_for(recording, run):
    @timestamp("limited")
    async def limited():
        for _ in range(5):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(waits_for_ever(), 0.001)
        assert await asyncio.wait_for(child(), 60) == "child"

    with recording:
        run(limited())
    profile = recording.profile
    assert ends(profile) == {"limited": ENDED, "waits for ever": (5, 5, 0, 0), "child": ENDED, "leaf": (8, 0, 0, 0)}
    awaiting = "limited" if sys.version_info >= (3, 12) else None  # before, a task of its own
    assert profile.pairs() == {
        (None, "limited"): several(1),
        (awaiting, "waits for ever"): several(5),
        (awaiting, "child"): several(1),
        ("waits for ever", "leaf"): several(5),
        ("child", "leaf"): several(3),
    }
    assert profile.site("waits for ever")["waited_ns"] > 0


def test_cancelled_in_a_chain(recording, run):
    """The innermost is thrown into, and the exception goes up through all that await."""

    @timestamp("middle")
    async def middle():
        await waits_for_ever()

    @timestamp("shields")
    async def shields():
        try:
            await middle()
        except asyncio.CancelledError:
            await child((0,))

    async def main():
        tasks = [asyncio.ensure_future(shields()) for _ in range(10)]
        never = asyncio.ensure_future(shields())
        never.cancel()  # before it began: no call
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, never, return_exceptions=True)

    with recording:
        run(main())
    profile = recording.profile
    assert ends(profile) == {"shields": (10, 0, 0, 0), "middle": (10, 10, 0, 0), "waits for ever": (10, 10, 0, 0), "child": (10, 0, 0, 0), "leaf": (30, 0, 0, 0)}
    assert profile.pairs() == {
        (None, "shields"): several(10),
        ("shields", "middle"): several(10),
        ("middle", "waits for ever"): several(10),
        ("waits for ever", "leaf"): several(10),
        ("shields", "child"): several(10),
        ("child", "leaf"): several(20),
    }


def test_left_over_when_the_loop_ends(recording, run):
    """asyncio.run() cancels what still waits."""

    async def main():
        kept.extend(asyncio.ensure_future(waits_for_ever()) for _ in range(7))
        await asyncio.sleep(0)
        assert recording.profile.counts("calls", "open", "suspended") == {"waits for ever": (7, 7, 7)}

    kept = []
    with recording:
        run(main())
    assert ends(recording.profile) == {"waits for ever": (7, 7, 0, 0), "leaf": (7, 0, 0, 0)}
    assert recording.profile.pairs() == {(None, "waits for ever"): several(7), ("waits for ever", "leaf"): several(7)}


# ---- async generators, iterators, contexts ----


async def runs_out():
    assert [i async for i in numbers(3)] == [0, 1, 2]


async def is_closed():
    agen = numbers(3)
    assert await agen.__anext__() == 0
    await agen.aclose()


async def is_closed_before_it_began():
    await numbers(3).aclose()


async def is_thrown_into():
    agen = numbers(3)
    await agen.__anext__()
    with pytest.raises(KeyError):
        await agen.athrow(KeyError)


async def is_thrown_into_before_it_began():
    with pytest.raises(KeyError):
        await numbers(3).athrow(KeyError)


async def is_sent_into():
    agen = numbers(2)
    assert [await agen.asend(None), await agen.asend("x")] == [0, 1]
    with pytest.raises(StopAsyncIteration):
        await agen.asend("y")


async def is_dropped():
    """The loop's hook closes it, in a task."""
    async for _ in numbers(3):
        break
    gc.collect()
    for _ in range(5):
        await asyncio.sleep(0)


async def is_dropped_in_a_cycle():
    agen = numbers(3)
    await agen.__anext__()
    cycle = [agen]
    cycle.append(cycle)
    del agen, cycle
    gc.collect()
    for _ in range(5):
        await asyncio.sleep(0)


async def waits_at_shutdown():
    """The loop closes it when it ends."""
    kept.append(numbers(3))
    await kept[0].__anext__()


async def its_reader_is_cancelled():
    @timestamp("reader")
    async def reader():
        async for _ in numbers(1000):
            await asyncio.get_running_loop().create_future()

    task = asyncio.ensure_future(reader())
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


kept = []
BEGAN, CLEANED = (None, "numbers"), ("numbers", "leaf")
READ = {"numbers": RAISED, "leaf": ENDED}
AGENS = {
    "runs out": (runs_out, {"numbers": ENDED, "leaf": ENDED}, once(BEGAN, CLEANED)),
    "is closed": (is_closed, READ, once(BEGAN, CLEANED)),
    "is closed before it began": (is_closed_before_it_began, {}, {}),
    "is thrown into": (is_thrown_into, READ, once(BEGAN, CLEANED)),
    "is thrown into before it began": (is_thrown_into_before_it_began, {}, {}),
    "is sent into": (is_sent_into, {"numbers": ENDED, "leaf": ENDED}, once(BEGAN, CLEANED)),
    "is dropped": (is_dropped, READ, once(BEGAN, CLEANED)),
    "is dropped in a cycle": (is_dropped_in_a_cycle, READ, once(BEGAN, CLEANED)),
    "waits at shutdown": (waits_at_shutdown, READ, once(BEGAN, CLEANED)),
    "its reader is cancelled": (its_reader_is_cancelled, {**READ, "reader": RAISED}, once((None, "reader"), ("reader", "numbers"), CLEANED)),
}


@pytest.mark.parametrize("happens, expected, pairs", AGENS.values(), ids=AGENS.keys())
def test_async_generator(recording, run, happens, expected, pairs):
    with recording:
        run(happens())
        kept.clear()
        gc.collect()
    assert ends(recording.profile) == expected
    assert recording.profile.pairs() == pairs


def test_two_readers_take_turns(recording, run):
    """Each item is computed under who asks for it."""

    @timestamp("reader")
    async def reader(agen):
        leaf()
        return await agen.__anext__()

    @timestamp("produces")
    async def produces():
        for i in range(10):
            await child((0,))
            yield i

    async def main():
        agen = produces()
        for i in range(4):
            assert await reader(agen) == 2 * i
            assert await agen.__anext__() == 2 * i + 1
        assert [i async for i in agen] == [8, 9]

    with recording:
        run(main())
    profile = recording.profile
    assert ends(profile) == {"reader": (4, 0, 0, 0), "produces": ENDED, "child": (10, 0, 0, 0), "leaf": (24, 0, 0, 0)}
    assert profile.pairs() == {
        (None, "reader"): several(4),
        ("reader", "leaf"): several(4),
        ("reader", "produces"): several(1),
        ("produces", "child"): several(10),
        ("child", "leaf"): several(20),
    }
    paths = profile.paths()
    assert paths["reader", "produces", "child"] == 4 and paths["produces", "child"] == 6


def test_async_iterators_and_contexts(recording, run):
    class Resource:
        def __init__(self):
            self.left = 3

        @timestamp("__aenter__")
        async def __aenter__(self):
            await child((0,))
            return self

        @timestamp("__aexit__")
        async def __aexit__(self, kind, *_):
            await child((0,))
            return kind is KeyError

        @timestamp("__aiter__")
        def __aiter__(self):
            return self

        @timestamp("__anext__")
        async def __anext__(self):
            self.left -= 1
            await asyncio.sleep(0)
            if self.left < 0:
                raise StopAsyncIteration
            return self.left

    @contextlib.asynccontextmanager
    @timestamp("as context")
    async def as_context():
        leaf()
        async with Resource() as resource:
            yield resource
            leaf()

    @timestamp("uses")
    async def uses():
        async with as_context() as resource:
            assert [i async for i in resource] == [2, 1, 0]
        async with Resource():
            raise KeyError

    with recording:
        run(uses())
    profile = recording.profile
    assert ends(profile) == {
        "uses": ENDED,
        "as context": ENDED,
        "__aenter__": (2, 0, 0, 0),
        "__aexit__": (2, 0, 0, 0),
        "__aiter__": ENDED,
        "__anext__": (4, 1, 0, 0),
        "child": (4, 0, 0, 0),
        "leaf": (10, 0, 0, 0),
    }
    assert profile.pairs() == {
        **once((None, "uses"), ("uses", "as context"), ("uses", "__aiter__"), ("as context", "__aenter__"), ("as context", "__aexit__")),
        **once(("uses", "__aenter__"), ("uses", "__aexit__")),
        ("uses", "__anext__"): several(4),
        ("as context", "leaf"): several(2),
        ("__aenter__", "child"): several(2),
        ("__aexit__", "child"): several(2),
        ("child", "leaf"): several(8),
    }


# ---- recording begins and ends in between ----


def test_tasks_that_outlive_the_recording(recording, run):
    """Begun before: not counted, but seen at work. Begun while it lasts: counted once, open when it ends, whatever comes."""

    @timestamp("early")
    async def early(go_on):
        leaf()
        await go_on.wait()
        leaf()
        await asyncio.sleep(0)
        leaf()

    @timestamp("late")
    async def late(go_on):
        await go_on.wait()
        leaf()

    async def main():
        first, last = asyncio.Event(), asyncio.Event()
        tasks = [asyncio.ensure_future(early(first)) for _ in range(6)]
        await asyncio.sleep(0)
        with recording:
            tasks += [asyncio.ensure_future(late(last)) for _ in range(9)]
            await asyncio.sleep(0)
            first.set()
            await asyncio.gather(*tasks[:6])
        last.set()
        await asyncio.gather(*tasks)

    run(main())
    for again in False, True:
        if again:
            assert timestamp_capture.start()
            timestamp_capture.stop()
        profile = recording.profile
        assert ends(profile) == {"late": (9, 0, 9, 9), "leaf": (12, 0, 0, 0)}
        assert profile.pairs() == {(None, "late"): several(9), ("early", "leaf"): several(12)}
        assert profile.calls("early") == profile.site("early")["open"] == 0


def test_recording_begins_and_ends_within_a_coroutine(recording, run):
    """Who is running then is no caller of what comes, until it is resumed; what it awaits meanwhile is as it is."""

    @timestamp("outer")
    async def outer():
        await inner()
        leaf()

    @timestamp("inner")
    async def inner():
        with recording:
            leaf()
            await child((0,))
            leaf()

    run(outer())
    profile = recording.profile
    assert ends(profile) == {"child": ENDED, "leaf": (4, 0, 0, 0)}
    pairs = profile.pairs()
    assert pairs["child", "leaf"] == (2, 2)
    assert sum(calls for (_, callee), (calls, _) in pairs.items() if callee == "leaf") == 4


# ---- random ones, against what their bodies note ----


class Truth:
    """What begins under whom, and how it ends."""

    def __init__(self):
        self.pairs, self.raised = {}, {}

    def begins(self, caller, name):
        self.pairs[caller, name] = self.pairs.get((caller, name), 0) + 1

    @contextlib.contextmanager
    def body(self, caller, name):
        self.begins(caller, name)
        try:
            yield
        except BaseException:
            self.raised[name] = self.raised.get(name, 0) + 1
            raise

    def calls(self):
        calls = {}
        for (_, name), n in self.pairs.items():
            calls[name] = calls.get(name, 0) + n
        return {name: (n, self.raised.get(name, 0), 0, 0) for name, n in calls.items()}


def random_coroutines(truth, rnd):
    """Six that await, gather, time out, cancel and iterate as chance has it, each told by its caller who that is."""

    def plain(caller):
        with truth.body(caller, "plain"):
            pass

    async def items(caller, depth):
        with truth.body(caller, "items"):
            for i in range(rnd.randrange(4)):
                if rnd.random() < 0.5:
                    await asyncio.sleep(0)
                if depth < 5 and rnd.random() < 0.3:
                    await one("items", depth + 1)
                yield i

    async def awaits(me, depth):
        await one(me, depth + 1)

    async def gathers(me, depth):
        await asyncio.gather(*[one(None, depth + 1) for _ in range(rnd.randrange(4))], return_exceptions=True)

    async def iterates(me, depth):
        agen = items(me, depth)
        try:
            async for i in agen:
                if rnd.random() < 0.1:
                    break
        finally:
            await agen.aclose()

    async def cancels(me, depth):
        task = asyncio.ensure_future(one(None, depth + 1))
        for _ in range(rnd.randrange(3)):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def sleeps(me, depth):
        await asyncio.sleep(0)

    async def calls(me, depth):
        wrapped["plain"](me)

    async def fails(me, depth):
        raise KeyError

    def coroutine(name):
        async def body(caller, depth):
            with truth.body(caller, name):
                for _ in range(rnd.randrange(4)):
                    step = rnd.choice([awaits, awaits, gathers, iterates, cancels, sleeps, calls, calls, fails])
                    if depth < 5 or step in (sleeps, calls):
                        await step(name, depth)

        return timestamp(name)(body)

    async def one(caller, depth):
        await wrapped[rnd.choice(names)](caller, depth)

    names = [f"coroutine {i}" for i in range(6)]
    items, wrapped = timestamp("items")(items), {"plain": timestamp("plain")(plain)}
    wrapped.update((name, coroutine(name)) for name in names)
    return one


@pytest.mark.parametrize("seed", range(4))
def test_random_coroutines(recording, run, seed):
    truth = Truth()
    one = random_coroutines(truth, random.Random(seed))

    async def main():
        for _ in range(50):
            await asyncio.gather(*[one(None, 0) for _ in range(5)], return_exceptions=True)

    with recording:
        run(main())
        gc.collect()
    profile = recording.profile
    assert ends(profile) == truth.calls()
    assert {pair: calls for pair, (calls, _) in profile.pairs().items()} == truth.pairs
    assert sum(truth.pairs.values()) > 500


# ---- coroutines and generators that were there before ----


@timestamp("waits in a generator")
def waits_in_a_generator():
    try:
        for _ in range(3):
            yield leaf()
    finally:
        leaf()


def begun(n):
    generators = [waits_in_a_generator() for _ in range(n)]
    for generator in generators:
        next(generator)
    return generators


def throw_into(generator):
    with pytest.raises(KeyError):
        generator.throw(KeyError)


def collect(generators):
    generators[:] = [[generators.pop()] for _ in range(len(generators))]
    for cycle in generators:
        cycle.append(cycle)
    generators.clear()
    del cycle
    gc.collect()


BEFORE = {
    "run out": lambda generators: [list(g) for g in generators],
    "closed": lambda generators: [g.close() for g in generators],
    "thrown into": lambda generators: [throw_into(g) for g in generators],
    "dropped": lambda generators: generators.clear(),
    "collected": collect,
}


@pytest.mark.parametrize("end", BEFORE.values(), ids=BEFORE.keys())
def test_begun_before_recording(recording, end):
    """No call of theirs: what they call is."""
    generators = begun(5)
    with recording:
        end(generators)
    profile = recording.profile
    per_generator = 3 if end is BEFORE["run out"] else 1
    assert profile.check().counts("calls", "open", "suspended") == {"leaf": (5 * per_generator, 0, 0)}
    assert profile.pairs() == {("waits in a generator", "leaf"): several(5 * per_generator)}
    site = profile.site("waits in a generator")
    assert site["open"] == site["suspended"] == 0


def test_created_before_recording_and_never_begun(recording, run):
    generators, coroutines = [waits_in_a_generator() for _ in range(5)], [child() for _ in range(5)]
    with recording:
        generators.pop().close()
        coroutines.pop().close()
        throw_into(generators.pop())
        with pytest.raises(KeyError):
            coroutines.pop().throw(KeyError)
        list(generators.pop())  # these begin now
        run(as_task(coroutines.pop()))
    for coroutine in coroutines:
        coroutine.close()
    profile = recording.profile
    assert ends(profile) == {"waits in a generator": ENDED, "child": ENDED, "leaf": (7, 0, 0, 0)}


async def as_task(coroutine):
    await asyncio.ensure_future(coroutine)
