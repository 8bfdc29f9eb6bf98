"""`with timestamp_block(name)`: nested, left by exceptions, across yield and await, as a decorator, by interleaved tasks."""
import asyncio
import inspect
import time

import pytest

from timestamp_capture import start, stop, timestamp, timestamp_block


@timestamp
def leaf():
    pass


@timestamp
def function():
    with timestamp_block("in function"):
        leaf()


def busy(ns):
    end = time.perf_counter_ns() + ns
    while time.perf_counter_ns() < end:
        pass


def test_nested(recording):
    with recording:
        for _ in range(3):
            with timestamp_block("outer"):
                leaf()
                with timestamp_block("inner"):
                    function()
                with timestamp_block("inner"):
                    pass
    profile = recording.profile.check()
    assert profile.paths() == {
        ("outer",): 3,
        ("outer", "leaf"): 3,
        ("outer", "inner"): 6,
        ("outer", "inner", "function"): 3,
        ("outer", "inner", "function", "in function"): 3,
        ("outer", "inner", "function", "in function", "leaf"): 3,
    }


def test_a_site_says_where_it_is(recording):
    with recording:
        with timestamp_block("placed"):
            pass
    site = recording.profile.site("placed")
    assert (site["kind"], site["file"]) == ("block", __file__)
    assert site["line"] > inspect.getsourcelines(test_a_site_says_where_it_is)[1]


def test_dormant_blocks_do_nothing(recording):
    with timestamp_block("dormant"):
        pass
    with recording:
        leaf()
    with timestamp_block("dormant"):
        pass
    assert not recording.profile.calls("dormant")


def test_what_it_is():
    block = timestamp_block("name")
    assert block.name == "name" and repr(block) == "timestamp_block('name')"
    assert block.__enter__() is None and block.__exit__(None, None, None) is False
    for wrong in ((), (1,), (b"x",), ("a", "b")):
        with pytest.raises(TypeError):
            timestamp_block(*wrong)


def test_exceptions_pass_through(recording):
    with recording:
        for _ in range(4):
            with pytest.raises(KeyError):
                with timestamp_block("raises"):
                    leaf()
                    raise KeyError
    profile = recording.profile.check()
    assert profile.counts("calls", "raised", "open") == {"raises": (4, 4, 0), "leaf": (4, 0, 0)}


def test_left_by_return_break_and_continue(recording):
    def returns():
        with timestamp_block("block"):
            return leaf()

    with recording:
        returns()
        for i in range(4):
            with timestamp_block("block"):
                if i == 1:
                    continue
                if i == 2:
                    break
    assert recording.profile.check().counts("calls", "raised", "open") == {"block": (4, 0, 0), "leaf": (1, 0, 0)}


def test_recursive_block_object(recording):
    """One object entered within itself."""
    block = timestamp_block("same")

    def recursive(n):
        with block:
            leaf()
            if n:
                recursive(n - 1)

    with recording:
        recursive(4)
    profile = recording.profile.check()
    assert profile.counts("calls", "primitive_calls", "open") == {"same": (5, 1, 0), "leaf": (5, 5, 0)}


def test_in_generators(recording):
    """The block is open while its generator waits, and others run meanwhile."""

    @timestamp("generator")
    def generator():
        with timestamp_block("in generator"):
            yield leaf()
            busy(1_000_000)
            yield leaf()

    with recording:
        one, two = generator(), generator()
        next(one), next(two)
        function()
        next(two), next(one)
        list(one), list(two)
    profile = recording.profile
    assert profile["lost"] == profile["losses"]["mismatched"] == profile["losses"]["clamped"] == 0
    profile.check_sums()
    assert profile.counts() == {"generator": 2, "in generator": 2, "leaf": 5, "function": 1, "in function": 1}
    assert all(site["exclusive_ns"] >= 0 and not site["open"] for site in profile.sites.values())


def test_generator_dropped_inside_a_block(recording):
    @timestamp("generator")
    def generator():
        with timestamp_block("in generator"):
            yield

    with recording:
        for _ in range(5):
            next(generator())
        function()
    profile = recording.profile
    profile.check_sums()
    assert profile.counts() == {"generator": 5, "in generator": 5, "function": 1, "in function": 1, "leaf": 1}
    assert profile["losses"]["mismatched"] == 0


def test_around_an_undecorated_generator(recording):
    """Blocks of undecorated generators interleave: no order of ends is impossible."""

    def generator(name):
        with timestamp_block(name):
            yield
            yield

    with recording:
        one, two = generator("one"), generator("two")
        next(one), next(two)
        leaf()
        list(one)
        leaf()
        list(two)
        leaf()
    profile = recording.profile
    profile.check_sums()
    assert profile.counts("calls", "open") == {"one": (1, 0), "two": (1, 0), "leaf": (3, 0)}
    assert profile["lost"] == profile["losses"]["mismatched"] == profile["losses"]["clamped"] == 0


def test_interleaved_tasks(recording):
    """Three tasks wait inside their blocks: no self time is negative, none is counted twice."""

    async def task(name, seconds):
        with timestamp_block(name):
            await asyncio.sleep(seconds)
            busy(2_000_000)
            await asyncio.sleep(seconds)

    async def main():
        await asyncio.gather(task("a", 0.010), task("b", 0.015), task("c", 0.020))

    begin = time.perf_counter_ns()
    with recording:
        asyncio.run(main())
    elapsed = time.perf_counter_ns() - begin
    profile = recording.profile
    profile.check_sums()
    assert profile.counts("calls", "open") == {"a": (1, 0), "b": (1, 0), "c": (1, 0)}
    assert profile["losses"]["clamped"] == profile["losses"]["mismatched"] == 0
    assert 0 < sum(site["exclusive_ns"] for site in profile.sites.values()) <= elapsed
    for site in profile.sites.values():
        assert 0 <= site["exclusive_ns"] <= site["inclusive_ns"] <= elapsed


def test_many_interleaved_tasks(recording):
    async def task(i):
        with timestamp_block(f"block {i % 7}"):
            await asyncio.sleep(0)
            leaf()
            with timestamp_block("inner"):
                await asyncio.sleep(0.0001 * (i % 5))
                leaf()

    async def main():
        for _ in range(5):
            await asyncio.gather(*[task(i) for i in range(70)])

    with recording:
        asyncio.run(main())
    profile = recording.profile
    profile.check_sums()
    assert profile.counts("calls", "open") == {"leaf": (700, 0), "inner": (350, 0), **{f"block {i}": (50, 0) for i in range(7)}}
    assert profile["losses"]["clamped"] == profile["losses"]["mismatched"] == profile["lost"] == 0


def test_as_a_decorator(recording):
    @timestamp_block("decorated")
    def decorated(a, b=2):
        """Doc."""
        leaf()
        return a + b

    @timestamp_block("coroutine")
    async def coroutine():
        await asyncio.sleep(0)
        leaf()
        return 5

    assert decorated.__name__ == "decorated" and decorated.__doc__ == "Doc."
    assert inspect.iscoroutinefunction(coroutine)
    with recording:
        assert decorated(1) == 3 and decorated(1, b=5) == 6
        assert asyncio.run(coroutine()) == 5
    profile = recording.profile.check()
    assert profile.counts() == {"decorated": 2, "coroutine": 1, "leaf": 3}
    assert profile.pairs()["decorated", "leaf"] == (2, 2)


def test_as_a_decorator_of_generators(recording):
    """The block lasts as long as the generator runs, not only until it is made."""

    @timestamp_block("numbers")
    def numbers():
        yield leaf()
        yield leaf()

    @timestamp_block("async numbers")
    async def async_numbers():
        yield leaf()

    @timestamp_block("echo")
    async def echo():
        received = []
        try:
            while len(received) < 2:
                received.append((yield len(received)))
            yield received
        except ValueError:
            yield "thrown"

    async def collect():
        assert [x async for x in async_numbers()] == [None]
        generator = echo()
        assert [await generator.asend(x) for x in (None, "a", "b")] == [0, 1, ["a", "b"]]
        assert await generator.athrow(ValueError) == "thrown"
        await generator.aclose()

    assert inspect.isgeneratorfunction(numbers) and inspect.isasyncgenfunction(async_numbers)
    with recording:
        assert list(numbers()) == [None, None]
        asyncio.run(collect())
    assert recording.profile.check().pairs() == {
        (None, "numbers"): (1, 1),
        ("numbers", "leaf"): (2, 2),
        (None, "async numbers"): (1, 1),
        (None, "echo"): (1, 1),
        ("async numbers", "leaf"): (1, 1),
    }


def test_start_and_stop_inside_a_block(recording):
    with timestamp_block("begun before"):
        start()
        leaf()
    with timestamp_block("cut"):
        leaf()
        stop()
    with timestamp_block("after"):
        pass
    profile = recording.profile
    profile.check_sums()
    assert profile.counts("calls", "open") == {"leaf": (2, 0), "cut": (1, 1)}
    assert profile["losses"]["mismatched"] == 0


def test_block_never_left(recording):
    """Ended with the function around it."""

    @timestamp("forgets")
    def forgets():
        timestamp_block("forgotten").__enter__()
        leaf()

    with recording:
        for _ in range(3):
            forgets()
        leaf()
    profile = recording.profile
    profile.check_sums()
    assert profile.counts("calls", "open") == {"forgets": (3, 0), "forgotten": (3, 0), "leaf": (4, 0)}
    assert profile["losses"]["mismatched"] == 0


def test_left_without_being_entered(recording):
    with recording:
        timestamp_block("x").__exit__(None, None, None)
        function()
        timestamp_block("x").__exit__(None, None, None)
    assert recording.profile.check().counts() == {"function": 1, "in function": 1, "leaf": 1}


def test_names_made_on_the_way(recording):
    with recording:
        for i in range(500):
            with timestamp_block(f"item {i % 100}"):
                pass
    assert recording.profile.check().counts() == {f"item {i}": 5 for i in range(100)}


def test_same_name_as_a_function(recording):
    with recording:
        leaf()
        with timestamp_block("leaf"):
            pass
    profile = recording.profile.check()
    assert sorted((site["kind"], site["calls"]) for site in profile.sites.values() if site["calls"]) == [("block", 1), ("function", 1)]
