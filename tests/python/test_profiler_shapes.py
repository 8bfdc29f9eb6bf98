"""What `Profiler.track()` and `block()` take: all kinds of functions, generators, coroutines, tasks that take turns, exceptions."""
import asyncio
import contextlib
import functools
import inspect
import sys
import threading
import time

import pytest

import timestamp_capture
from timestamp_capture.stichotrope import Profiler

pytestmark = pytest.mark.usefixtures("recorder")
LONG = 0.01  # seconds: of what must not be counted, or must be


@pytest.fixture
def profiler():
    return Profiler("shapes")


def rows(profiler):
    """{name: block} of those that were hit."""
    found = {}
    for track in profiler.get_results().tracks:
        for block in track.blocks:
            if block.hit_count:
                assert block.name not in found
                found[block.name] = block
    return found


def hits(profiler):
    return {name: block.hit_count for name, block in rows(profiler).items()}


def raised(profiler):
    return {name: (block.hit_count, block.exception_count) for name, block in rows(profiler).items()}


# ---- decorated objects ----


def test_methods_and_descriptors(profiler):
    class C:
        @profiler.track(0)
        def method(self):
            return "method"

        @classmethod
        @profiler.track(0)
        def class_below(cls):
            return cls

        @profiler.track(0)
        @classmethod
        def class_above(cls):
            return cls

        @staticmethod
        @profiler.track(0)
        def static_below():
            return "static"

        @profiler.track(0)
        @staticmethod
        def static_above():
            return "static"

        @profiler.track(0)
        @property
        def value(self):
            """Doc."""
            return 5

        @profiler.track(0)
        @functools.cached_property
        def cached(self):
            return 6

        @profiler.track(0, "dispatched")
        @functools.singledispatchmethod
        def dispatch(self, x):
            return "object"

        part = profiler.track(0, "part")(functools.partialmethod(lambda self, x: x, 7))

    for _ in range(2):
        c = C()
        assert (c.method(), c.class_below(), c.class_above(), C.class_above()) == ("method", C, C, C)
        assert (c.static_below(), c.static_above(), C.static_above()) == ("static",) * 3
        assert (c.value, c.cached, c.cached, c.dispatch(1), c.part()) == (5, 6, 6, "object", 7)
    assert C.value.__doc__ == "Doc."
    assert hits(profiler) == {
        "method": 2, "class_below": 2, "class_above": 4, "static_below": 2, "static_above": 4, "value": 2, "cached": 2, "dispatched": 2, "part": 2,
    }


def test_partial_and_lru_cache(profiler):
    def add(a, b):
        return a + b

    part = profiler.track(0, "partial")(functools.partial(add, 1))
    cached = profiler.track(0, "cached")(functools.lru_cache(maxsize=7)(lambda n: n))
    bound = profiler.track(0, "bound")(Counter().__call__)
    assert [part(2), part(b=3), cached(1), cached(1), cached(2), bound(), bound()] == [3, 4, 1, 1, 2, 1, 2]
    assert hits(profiler) == {"partial": 2, "cached": 2, "bound": 2}
    assert cached.cache_info().hits == 1 and cached.cache_info().maxsize == 7


class Counter:
    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1
        return self.count


def test_what_runs_no_python_is_left_as_it_is(profiler):
    before = timestamp_capture.status()["unmarked"]
    for thing in (len, Counter(), functools.partial(len)):
        assert profiler.track(0)(thing) is thing
    assert timestamp_capture.status()["unmarked"] == before + 3
    assert profiler.track(0)(len)("abc") == 3 and not hits(profiler)


def test_a_class(profiler):
    @profiler.track(0)
    class Inner(Counter):
        def one(self):
            return 1

        @staticmethod
        def two():
            return 2

        @property
        def three(self):
            return 3

    assert isinstance(Inner, type)
    inner = Inner()
    assert (inner.one(), inner.two(), inner.three, inner()) == (1, 2, 3, 1)
    prefix = "test_a_class.<locals>.Inner."
    assert hits(profiler) == {prefix + "one": 1, prefix + "two": 1, prefix + "three": 1}


def test_functions_stay_what_they_are(profiler):
    @profiler.track(0)
    def function(a, *, b: int = 2) -> str:
        """Doc."""
        raise ValueError(a)

    @profiler.track(0)
    async def coroutine():
        pass

    @profiler.track(0)
    def generator():
        yield

    @profiler.track(0)
    async def async_generator():
        yield

    assert str(inspect.signature(function)) in ("(a, *, b: int = 2) -> str",)
    assert (function.__name__, function.__doc__, function.__module__) == ("function", "Doc.", __name__)
    assert inspect.iscoroutinefunction(coroutine) and inspect.isgeneratorfunction(generator) and inspect.isasyncgenfunction(async_generator)
    with pytest.raises(ValueError, match="^why$"):
        function("why")


def test_a_block_is_a_decorator(profiler):
    @profiler.block(0, "plain")
    def plain(a):
        return a

    @profiler.block(0, "coroutine")
    async def coroutine():
        await asyncio.sleep(0)
        return 5

    assert (plain(1), plain(2), asyncio.run(coroutine())) == (1, 2, 5)
    assert hits(profiler) == {"plain": 2, "coroutine": 1}


# ---- generators and coroutines ----


def test_generators_are_one_hit_of_the_time_that_they_run(profiler):
    @profiler.track(0)
    def numbers():
        for i in range(3):
            time.sleep(LONG / 10)
            yield i

    waited, begin = 0, time.perf_counter_ns()
    for _ in numbers():
        suspended = time.perf_counter_ns()
        time.sleep(LONG)
        waited += time.perf_counter_ns() - suspended
    whole = time.perf_counter_ns() - begin
    block = rows(profiler)["numbers"]
    assert block.hit_count == 1 and 3 * LONG / 10 <= block.total_time_ns / 1e9 <= (whole - waited) / 1e9


def test_what_goes_through_a_generator(profiler):
    @profiler.track(0)
    def echo():
        received = []
        try:
            while len(received) < 2:
                received.append((yield len(received)))
        except KeyError:
            yield "thrown"
        return received

    def delegates():
        return (yield from echo())

    one = delegates()
    assert [next(one), one.send("a")] == [0, 1]
    with pytest.raises(StopIteration) as stop:
        one.send("b")
    assert stop.value.value == ["a", "b"]
    two = echo()
    next(two)
    assert two.throw(KeyError()) == "thrown" and list(two) == []
    assert raised(profiler) == {"echo": (2, 0)}


def test_a_generator_that_never_began_is_no_hit(profiler):
    @profiler.track(0)
    def generator():
        yield

    generator().close()
    with pytest.raises(KeyError):
        generator().throw(KeyError())
    assert hits(profiler) == {}


def test_how_generators_end(profiler):
    """Closing one is no exception."""

    @profiler.track(0)
    def generator(raises=None):
        with profiler.block(1, "inside"):
            yield 1
            if raises:
                raise raises
            yield 2

    list(generator())
    closed = generator()
    next(closed)
    closed.close()
    next(generator())
    with pytest.raises(KeyError):
        list(generator(KeyError))
    thrown = generator()
    next(thrown)
    with pytest.raises(OSError):
        thrown.throw(OSError())
    assert raised(profiler) == {"generator": (5, 2), "inside": (5, 2)}


def test_exceptions(profiler):
    @profiler.track(0)
    def function(error):
        if error:
            raise error

    for error in (None, KeyError, None, SystemExit):
        with contextlib.suppress(KeyError, SystemExit):
            with profiler.block(0, "block"):
                function(error)
    assert raised(profiler) == {"function": (4, 2), "block": (4, 2)}


def test_coroutines_are_one_hit_of_the_time_that_they_run(profiler):
    waited = []

    @profiler.track(0)
    async def waits(first, second):
        with profiler.block(1, "inside"):
            await first
            time.sleep(LONG / 10)
            await second
        return 5

    def while_they_wait(future):
        begin = time.perf_counter_ns()
        time.sleep(LONG)
        waited.append(time.perf_counter_ns() - begin)
        future.set_result(None)

    async def main():
        loop = asyncio.get_running_loop()
        first, second = loop.create_future(), loop.create_future()
        tasks = [asyncio.ensure_future(waits(first, second)) for _ in range(4)]
        for future in (first, second):
            await asyncio.sleep(0)  # until all four wait
            while_they_wait(future)
        return await asyncio.gather(*tasks)

    begin = time.perf_counter_ns()
    assert asyncio.run(main()) == [5] * 4
    ran = time.perf_counter_ns() - begin - sum(waited)
    found = rows(profiler)
    assert {name: block.hit_count for name, block in found.items()} == {"waits": 4, "inside": 4}
    for block in found.values():
        assert 4 * LONG / 10 <= block.total_time_ns / 1e9 <= ran / 1e9
        assert LONG / 10 <= block.min_time_ns / 1e9
    assert abs(found["waits"].self_time_ns + found["inside"].self_time_ns - found["waits"].total_time_ns) <= 2  # ticks in ns


def test_a_block_in_a_coroutine_outlives_the_first_await(profiler):
    @profiler.track(0)
    async def waits():
        with profiler.block(1, "inside"):
            await asyncio.sleep(0)
            with profiler.block(1, "more"):
                await asyncio.sleep(0)
            time.sleep(LONG)

    @profiler.track(0)
    def generator():
        with profiler.block(1, "in generator"):
            yield
            time.sleep(LONG)

    begin = time.perf_counter_ns()
    asyncio.run(waits())
    took = time.perf_counter_ns() - begin
    list(generator())
    found = rows(profiler)
    assert {name: block.hit_count for name, block in found.items()} == {"waits": 1, "inside": 1, "more": 1, "generator": 1, "in generator": 1}
    assert found["inside"].total_time_ns >= LONG * 1e9 and found["in generator"].total_time_ns >= LONG * 1e9
    assert found["waits"].self_time_ns <= took - LONG * 1e9


def test_async_generators(profiler):
    @profiler.track(0)
    async def numbers():
        for i in range(3):
            await asyncio.sleep(0)
            received.append((yield i))

    async def main():
        assert [x async for x in numbers()] == [0, 1, 2]
        generator = numbers()
        assert await generator.asend(None) == 0 and await generator.asend("sent") == 1
        with pytest.raises(KeyError):
            await generator.athrow(KeyError())
        async for _ in numbers():
            break
        closed = numbers()
        await closed.__anext__()
        await closed.aclose()

    received = []
    asyncio.run(main())
    assert received == [None] * 3 + ["sent"]
    assert raised(profiler) == {"numbers": (4, 1)}


def test_cancelled_tasks(profiler):
    @profiler.track(0)
    async def waits():
        with profiler.block(1, "inside"):
            await asyncio.sleep(60)

    async def main():
        task = asyncio.ensure_future(waits())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert raised(profiler) == {"waits": (1, 1), "inside": (1, 1)}


def test_blocks_of_tasks_that_take_turns_are_no_recursion(profiler):
    """Each is open as long as it is open, and all of them together as long as their sum."""

    async def task():
        with profiler.block(0, "task"):
            await asyncio.sleep(LONG)

    async def main():
        await asyncio.gather(*[task() for _ in range(5)])

    asyncio.run(main())
    block = rows(profiler)["task"]
    assert block.hit_count == 5 and block.total_time_ns >= 5 * LONG * 1e9 and block.min_time_ns >= LONG * 1e9
    assert block.self_time_ns < block.total_time_ns


def check_between(profiler, name, count):
    """Its total is no more than that of the blocks around its outermost ones, and no less than that of those just within."""
    found = rows(profiler)
    around, within = (sum(found[f"{where} {i}"].total_time_ns for i in range(count)) for where in ("around", "within"))
    assert within <= found[name].total_time_ns <= around


def test_recursions_of_tasks_that_take_turns(profiler):
    async def recursive(n, i):
        with profiler.block(0, "recursive"):
            if n == 2:
                with profiler.block(1, f"within {i}"):
                    await asyncio.sleep(LONG / 10)
                    await recursive(n - 1, i)
            elif n:
                await asyncio.sleep(LONG / 10)
                await recursive(n - 1, i)

    async def task(i):
        with profiler.block(1, f"around {i}"):
            await recursive(2, i)

    async def main():
        await asyncio.gather(*[task(i) for i in range(4)])

    asyncio.run(main())
    assert rows(profiler)["recursive"].hit_count == 4 * 3
    check_between(profiler, "recursive", 4)


def test_a_kept_block_that_several_tasks_have_open(profiler):
    """Who entered first leaves first, long before the other."""
    kept = profiler.block(0, "kept")

    async def one(entered, other_entered, left):
        with profiler.block(1, "around 0"), kept, profiler.block(1, "within 0"):
            await asyncio.sleep(LONG)
            entered.set()
            await other_entered.wait()
        left.set()

    async def other(entered, other_entered, left):
        await entered.wait()
        with profiler.block(1, "around 1"), kept, profiler.block(1, "within 1"):
            other_entered.set()
            await left.wait()
            await asyncio.sleep(3 * LONG)

    async def main():
        events = [asyncio.Event() for _ in range(3)]
        await asyncio.gather(one(*events), other(*events))

    asyncio.run(main())
    block = rows(profiler)["kept"]
    assert block.hit_count == 2 and block.min_time_ns >= LONG * 1e9
    check_between(profiler, "kept", 2)


def test_blocks_of_generators_that_take_turns(profiler):
    def generator(i):
        with profiler.block(1, f"around {i}"), profiler.block(0, "turns"), profiler.block(1, f"within {i}"):
            yield
            yield

    generators = [generator(i) for i in range(3)]
    for one in [*generators, *reversed(generators)]:
        next(one)
    for one in generators:
        assert next(one, "ended") == "ended"
    assert rows(profiler)["turns"].hit_count == 3
    check_between(profiler, "turns", 3)


def test_recursion_through_context_managers_is_one(profiler):
    """What enters the block for its caller is not around any more, but the caller is."""

    @contextlib.contextmanager
    def managed():
        with profiler.block(0, "managed"):
            yield

    class Manager:
        def __enter__(self):
            self.block = profiler.block(0, "class")
            self.block.__enter__()

        def __exit__(self, *exception):
            self.block.__exit__(*exception)

    def recursive(n):
        with contextlib.ExitStack() as stack, managed(), Manager():
            stack.enter_context(profiler.block(0, "stack"))
            if n:
                recursive(n - 1)

    recursive(3)
    for name in ("managed", "class", "stack"):
        block = rows(profiler)[name]
        assert block.hit_count == 4 and block.total_time_ns == block.max_time_ns, name


def test_recursion_of_a_block_across_awaits_is_one(profiler):
    async def recursive(n):
        with profiler.block(0, "recursive"):
            await asyncio.sleep(LONG)
            if n:
                await recursive(n - 1)

    begin = time.perf_counter_ns()
    asyncio.run(recursive(3))
    took = time.perf_counter_ns() - begin
    block = rows(profiler)["recursive"]
    assert block.hit_count == 4 and block.total_time_ns == block.max_time_ns <= took


def test_blocks_that_end_in_any_order(profiler):
    one, two, three = (profiler.block(0, name) for name in ("one", "two", "three"))
    one.__enter__(), two.__enter__(), three.__enter__()
    time.sleep(LONG)
    one.__exit__(None, None, None), three.__exit__(None, None, None), two.__exit__(None, None, None)
    found = rows(profiler)
    assert hits(profiler) == {"one": 1, "two": 1, "three": 1}
    assert all(block.self_time_ns >= 0 and block.total_time_ns >= LONG * 1e9 for block in found.values())


def test_a_generator_that_goes_on_elsewhere(profiler):
    @profiler.track(0)
    def generator():
        with profiler.block(1, "inside"):
            for i in range(8):
                yield i

    one = generator()
    seen = [next(one)]
    for _ in range(6):
        thread = threading.Thread(target=lambda: seen.append(next(one)))
        thread.start()
        thread.join()
    seen += one
    assert seen == list(range(8))
    assert hits(profiler) == {"generator": 1, "inside": 1}


def test_a_block_never_left_ends_with_the_function_around_it(profiler):
    @profiler.track(0)
    def forgets():
        profiler.block(1, "forgotten").__enter__()

    for _ in range(3):
        forgets()
    assert hits(profiler) == {"forgets": 3, "forgotten": 3}
    profiler.block(1, "never entered").__exit__(None, None, None)
    assert hits(profiler) == {"forgets": 3, "forgotten": 3}


def test_deep_recursion(profiler):
    @profiler.track(0)
    def deep(n):
        return deep(n - 1) if n else 0

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        deep(2000)
    finally:
        sys.setrecursionlimit(limit)
    assert hits(profiler) == {"deep": 2001}
