"""Whom a collector encloses: frames that entered one or hold one in `_timestamp_collector_`, on threads, in tasks that take
turns, in generators, at any depth. Each collector holds its own calls, all of them and no others."""
import asyncio
import contextlib
import functools
import gc
import os
import random
import threading
import time
from collections import Counter

import pytest

import timestamp_capture
from reading import FROM_OUTSIDE, dump
from timestamp_capture import Timestamp_Collector, start, status, stop, timestamp, timestamp_block


@timestamp
def leaf():
    pass


@timestamp
def twice():
    leaf()
    leaf()


@timestamp
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def calls(collector):
    assert collector.complete
    return {name: n for name, n, *_ in collector.timings()}


@pytest.fixture(autouse=True)
def nothing_left():
    timestamp_capture.reset()
    yield
    stop()
    gc.collect()
    assert status()["consumers"] == 0
    timestamp_capture.reset()


# ---- the variable `_timestamp_collector_`, without `with` ----


def test_a_local_variable():
    _timestamp_collector_ = Timestamp_Collector()
    twice()
    assert calls(_timestamp_collector_) == {"twice": 1, "leaf": 2}


class Made:
    def __init__(self, how):
        how()


MANY = 200  # after some calls of a class 3.13 has a frame of its own between the caller and __init__, which runs constant code


@pytest.mark.parametrize("held", ["variable", "with"])
def test_classes_that_are_called_again_and_again(held):
    def makes():
        for _ in range(MANY):
            Made(twice)
            Made(lambda: Made(twice))

    if held == "variable":
        _timestamp_collector_ = Timestamp_Collector()
        makes()
        assert calls(_timestamp_collector_) == {"twice": 2 * MANY, "leaf": 4 * MANY}
    else:
        with Timestamp_Collector() as collector:
            makes()
        assert calls(collector) == {"twice": 2 * MANY, "leaf": 4 * MANY}


def test_a_class_that_is_called_again_and_again_enters_a_collector():
    collector = Timestamp_Collector()

    def enters():
        collector.__enter__()
        twice()
        collector.__exit__(None, None, None)

    for _ in range(MANY):
        Made(enters)
    assert calls(collector) == {"twice": MANY, "leaf": 2 * MANY}


def test_a_local_variable_of_any_caller():
    def middle(n):
        return middle(n - 1) if n else twice()

    def outermost():
        _timestamp_collector_ = Timestamp_Collector("found")
        middle(50)
        sorted([3, 1, 2], key=lambda x: leaf() or x)  # through C
        return _timestamp_collector_

    c = outermost()
    middle(1)
    assert calls(c) == {"twice": 1, "leaf": 5}
    assert c.name == "found" and not c.is_active()


def test_only_while_the_frame_is_on_the_stack():
    def holds():
        _timestamp_collector_ = Timestamp_Collector()
        leaf()
        return _timestamp_collector_

    c = holds()
    twice(), leaf()
    assert calls(c) == {"leaf": 1}


def test_an_argument():
    def holds(_timestamp_collector_):
        twice()

    c = Timestamp_Collector()
    leaf()
    holds(c)
    holds(Timestamp_Collector())
    holds("not a collector")
    holds(_timestamp_collector_=c)
    assert calls(c) == {"twice": 2, "leaf": 4}


def test_an_argument_that_a_closure_uses():
    """In 3.9 and 3.10 its value is in a cell, its name among the arguments as well."""

    def holds(_timestamp_collector_):
        def inner():
            return _timestamp_collector_

        twice()
        return inner()

    c = Timestamp_Collector()
    assert holds(c) is c
    assert calls(c) == {"twice": 1, "leaf": 2}


def test_a_variable_of_an_enclosing_function():
    def outer():
        _timestamp_collector_ = Timestamp_Collector()

        def inner():
            leaf()
            return _timestamp_collector_

        def other():
            leaf()

        return inner, other, _timestamp_collector_

    inner, other, c = outer()
    other()
    assert inner() is c
    assert calls(c) == {"leaf": 1}


def test_a_variable_of_a_module_and_of_a_class_body():
    space = {"leaf": leaf, "twice": twice, "Timestamp_Collector": Timestamp_Collector}
    exec("_timestamp_collector_ = Timestamp_Collector()\nleaf()\nclass C: twice()", space)
    leaf()
    assert calls(space["_timestamp_collector_"]) == {"leaf": 3, "twice": 1}
    exec("class C:\n    _timestamp_collector_ = Timestamp_Collector()\n    leaf()", space)
    assert calls(space["C"]._timestamp_collector_) == {"leaf": 1}


def test_other_things_of_that_name():
    def holds(value):
        _timestamp_collector_ = value
        leaf()

    c = Timestamp_Collector()
    for value in (None, 5, "x", Timestamp_Collector, object(), [c]):
        holds(value)
    assert calls(c) == {}


def test_assigned_and_deleted_on_the_way():
    c, d = Timestamp_Collector("c"), Timestamp_Collector("d")
    leaf()
    _timestamp_collector_ = c
    leaf()
    _timestamp_collector_ = d
    twice()
    _timestamp_collector_ = None
    leaf()
    _timestamp_collector_ = c
    leaf()
    del _timestamp_collector_
    leaf()
    assert calls(c) == {"leaf": 2} and calls(d) == {"twice": 1, "leaf": 2}


def test_once_entered_with_counts():
    """As of old: what was entered and left is over, wherever a variable still holds it."""
    _timestamp_collector_ = Timestamp_Collector()
    leaf()
    with _timestamp_collector_:
        leaf()
    leaf()
    with _timestamp_collector_:
        leaf()
    assert calls(_timestamp_collector_) == {"leaf": 3}


def test_nested_variables():
    def inner():
        _timestamp_collector_ = Timestamp_Collector("inner")
        leaf()
        return _timestamp_collector_

    def outer():
        _timestamp_collector_ = Timestamp_Collector("outer")
        leaf()
        found = inner()
        with Timestamp_Collector("entered") as entered:
            twice()
        return _timestamp_collector_, found, entered

    with Timestamp_Collector("outermost") as outermost:
        outer_one, inner_one, entered = outer()
    assert calls(inner_one) == {"leaf": 1}
    assert calls(entered) == {"twice": 1, "leaf": 2}
    assert calls(outer_one) == {"leaf": 4, "twice": 1, "entered": 1}
    assert calls(outermost) == {"leaf": 4, "twice": 1, "entered": 1}


def test_recursion_in_a_variable():
    def recursive(n):
        _timestamp_collector_ = Timestamp_Collector()
        leaf()
        below = recursive(n - 1) if n else []
        leaf()
        return [_timestamp_collector_, *below]

    for n, c in enumerate(recursive(20)):
        assert calls(c) == {"leaf": 2 * (21 - n)}


def test_times_in_a_variable():
    _timestamp_collector_ = Timestamp_Collector()
    begin = time.perf_counter_ns()
    fib(12)
    elapsed = time.perf_counter_ns() - begin
    ((name, n, inclusive, exclusive, *_),) = _timestamp_collector_.timings()
    assert (name, n) == ("fib", 465)
    assert 0 < exclusive == inclusive <= elapsed, "a recursive function's outermost call, and all of it its own"
    assert inclusive <= _timestamp_collector_.total_duration_ns() <= elapsed


def test_threads_that_hold_the_same_one():
    c = Timestamp_Collector()

    def holds(_timestamp_collector_):
        for _ in range(1000):
            twice()

    def holds_nothing():
        for _ in range(1000):
            twice()

    threads = [threading.Thread(target=holds, args=(c,)) for _ in range(3)] + [threading.Thread(target=holds_nothing)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls(c) == {"twice": 3000, "leaf": 6000}


def test_a_variable_with_a_session():
    start()
    leaf()
    _timestamp_collector_ = Timestamp_Collector()
    twice()
    with timestamp_block("block"):
        fib(5)
    stop()
    assert calls(_timestamp_collector_) == {"twice": 1, "leaf": 2, "block": 1, "fib": 15}
    assert dump(os.getpid()).check().counts() == {"leaf": 3, "twice": 1, "block": 1, "fib": 15}


def test_nobody_else_records_for_one_that_is_never_found():
    c = Timestamp_Collector()
    for _ in range(100):
        twice()
    assert status()["consumers"] == 1
    assert dump(os.getpid()).counts() == {} and calls(c) == {}


def test_dropped_within_a_call():
    @timestamp("drops")
    def drops():
        holder.clear()
        leaf()

    holder = [Timestamp_Collector()]

    def holds():
        _timestamp_collector_ = holder[0]
        leaf()
        del _timestamp_collector_
        drops()

    holds()
    assert status()["consumers"] == 0
    with Timestamp_Collector() as c:
        twice()
    assert calls(c) == {"twice": 1, "leaf": 2}


# ---- depth ----


def test_ten_thousand_frames(program):
    """The collector at the bottom, in the middle, at the top of the stack; by `with` and by name; the calls at the top."""
    p = program(
        """
        import sys, threading
        from timestamp_capture import Timestamp_Collector, timestamp

        @timestamp
        def leaf(): pass

        def descend(n, then):
            return descend(n - 1, then) if n else then()

        def entered(then):
            with Timestamp_Collector() as c:
                then()
            return c

        def held(then):
            _timestamp_collector_ = Timestamp_Collector()
            then()
            return _timestamp_collector_

        @timestamp
        def decorated(n): return decorated(n - 1) if n else leaf()

        def hundred():
            for _ in range(100): leaf()

        def tries():
            for holds in (entered, held):
                yield holds(lambda: descend(10_000, hundred))
                yield descend(10_000, lambda: holds(hundred))
                yield descend(5_000, lambda: holds(lambda: descend(5_000, hundred)))
                yield holds(lambda: decorated(10_000))

        def main():
            facts.extend([{name: n for name, n, *_ in c.timings()}, c.complete] for c in tries())

        facts = []
        sys.setrecursionlimit(30_000)
        threading.stack_size(256 << 20)
        thread = threading.Thread(target=main)
        thread.start()
        thread.join()
        checkpoint(facts=facts)
        """
    )
    hundred = [{"leaf": 100}, True]
    assert p.wait()["facts"] == [hundred, hundred, hundred, [{"decorated": 10_001, "leaf": 1}, True]] * 2
    p.finish()


# ---- tasks that take turns ----


async def request(name, n):
    with Timestamp_Collector(name) as c:
        for _ in range(n):
            twice()
            await asyncio.sleep(0)
            with timestamp_block("block"):
                await asyncio.sleep(0)
                leaf()
    return c


@timestamp("coroutine")
async def decorated_request(name, n):
    return await request(name, n)


async def gather_requests(count, *, function=request, name="request {}"):
    return await asyncio.gather(*[function(name.format(n), n) for n in range(1, count + 1)])


@pytest.mark.parametrize("name", ["request {}", "request"])
@pytest.mark.parametrize("function", [request, decorated_request])
@pytest.mark.parametrize("session", [False, True])
def test_tasks(name, function, session):
    if session:
        start()
    for n, c in enumerate(asyncio.run(gather_requests(20, function=function, name=name)), 1):
        assert calls(c) == {"twice": n, "leaf": 3 * n, "block": n}
    stop()
    if not FROM_OUTSIDE:
        return
    profile = dump(os.getpid())
    profile.check_sums()
    counts = profile.counts()
    assert (counts["twice"], counts["leaf"], counts["block"]) == (210, 630, 210)
    assert not profile.losses()
    pairs = profile.pairs()
    for n in range(1, 21):
        if name != "request":
            assert pairs[name.format(n), "twice"] == (n, n), "a task's calls are below its own collector"
    assert pairs["twice", "leaf"] == (420, 420) and pairs["block", "leaf"] == (210, 210)
    assert all(site["open"] == site["suspended"] == 0 for site in profile.sites.values())


def test_a_thousand_tasks_at_once():
    async def request(n):
        with Timestamp_Collector("request") as c:
            leaf()
            await everybody.wait()
            for _ in range(n % 5):
                twice()
                await asyncio.sleep(0)
        return c

    async def main():
        global everybody
        everybody = asyncio.Event()
        tasks = [asyncio.ensure_future(request(n)) for n in range(1000)]
        await asyncio.sleep(0)
        assert status()["consumers"] == 1000
        everybody.set()
        return await asyncio.gather(*tasks)

    for n, c in enumerate(asyncio.run(main())):
        expected = {"leaf": 1 + 2 * (n % 5), "twice": n % 5}
        assert calls(c) == {name: count for name, count in expected.items() if count}


def test_a_task_created_inside_is_not_enclosed():
    async def other():
        twice()

    async def main():
        with Timestamp_Collector() as c:
            task = asyncio.ensure_future(other())
            leaf()
            await task
            await other()
        return c

    assert calls(asyncio.run(main())) == {"leaf": 3, "twice": 1}


def test_a_collector_around_the_loop_encloses_all_tasks():
    async def main():
        return await gather_requests(3)

    with Timestamp_Collector("all") as outer:
        inner = asyncio.run(main())
    assert [calls(c)["twice"] for c in inner] == [1, 2, 3]
    assert calls(outer) == {"twice": 6, "leaf": 18, "block": 6, "request 1": 1, "request 2": 1, "request 3": 1}


def test_a_variable_of_a_task():
    async def request(n):
        _timestamp_collector_ = Timestamp_Collector()
        for _ in range(n):
            twice()
            await asyncio.sleep(0)
        return _timestamp_collector_

    async def main():
        return await asyncio.gather(*[request(n) for n in range(1, 10)])

    for n, c in enumerate(asyncio.run(main()), 1):
        assert calls(c) == {"twice": n, "leaf": 2 * n}


def test_an_entered_one_in_another_tasks_variable():
    async def helper(_timestamp_collector_):
        for _ in range(3):
            leaf()
            await asyncio.sleep(0)

    async def main():
        with Timestamp_Collector() as c:
            task = asyncio.ensure_future(helper(c))
            twice()
            await task
        return c

    assert calls(asyncio.run(main())) == {"twice": 1, "leaf": 5}


def test_cancelled_tasks():
    async def request():
        with Timestamp_Collector() as c:
            collectors.append(c)
            leaf()
            try:
                await asyncio.sleep(60)
            finally:
                twice()

    async def main():
        tasks = [asyncio.ensure_future(request()) for _ in range(5)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    collectors = []
    asyncio.run(main())
    assert [calls(c) for c in collectors] == [{"leaf": 3, "twice": 1}] * 5


def test_threads_with_tasks():
    """Four loops on four threads, with collectors of all kinds."""

    def run_loop(n):
        for _ in range(5):
            with Timestamp_Collector("around") as around:
                results = asyncio.run(gather_requests(n))
            found[n].append((calls(around)["leaf"], [calls(c) for c in results]))

    found = {n: [] for n in (2, 3, 4, 5)}
    threads = [threading.Thread(target=run_loop, args=(n,)) for n in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, rounds in found.items():
        expected = [{"twice": i, "leaf": 3 * i, "block": i} for i in range(1, n + 1)]
        assert rounds == [(3 * n * (n + 1) // 2, expected)] * 5


# ---- generators ----


def test_generators_that_take_turns():
    def generator(c, n):
        with c:
            for _ in range(n):
                twice()
                yield

    one, two = Timestamp_Collector("one"), Timestamp_Collector("two")
    with Timestamp_Collector("outer") as outer:
        for _ in zip(generator(one, 5), generator(two, 7)):
            leaf()
    assert calls(one) == {"twice": 5, "leaf": 10}
    assert calls(two) == {"twice": 5, "leaf": 10}
    assert calls(outer) == {"twice": 10, "leaf": 25, "one": 1, "two": 1}


def test_a_generator_resumed_inside_and_outside():
    """What encloses it is decided at each resume."""

    @timestamp("numbers")
    def numbers():
        while True:
            leaf()
            yield

    g = numbers()
    next(g)
    with Timestamp_Collector("c") as c:
        next(g), next(g)
        with Timestamp_Collector("d") as d:
            next(g)
    next(g)
    g.close()
    assert calls(c) == {"leaf": 3, "d": 1, "numbers": 0}, "its time is in there, but it was called before"
    assert calls(d) == {"leaf": 1, "numbers": 0}


def test_a_collector_in_a_generator_under_changing_collectors():
    def generator(c):
        with c:
            while True:
                leaf()
                yield

    own = Timestamp_Collector("own")
    g = generator(own)
    next(g)
    with Timestamp_Collector("first") as first:
        next(g), next(g)
    with Timestamp_Collector("second") as second:
        next(g)
    next(g)
    g.close()
    assert calls(own) == {"leaf": 5}
    assert (calls(first), calls(second)) == ({"leaf": 2}, {"leaf": 1})


def test_left_by_the_garbage_collector_in_a_generator():
    def generator(c):
        with c:
            leaf()
            yield

    c = Timestamp_Collector()
    g = generator(c)
    next(g)
    del g
    assert not c.is_active() and calls(c) == {"leaf": 1}


# ---- ways in and out ----


def decorating(name):
    def decorator(function):
        @functools.wraps(function)
        def wrapper(*args):
            with Timestamp_Collector(name) as c:
                function(*args)
            return c

        return wrapper

    return decorator


@decorating("by decorator")
def decorated_with_a_collector(n):
    for _ in range(n):
        twice()


@pytest.fixture
def collector():
    with Timestamp_Collector("fixture") as c:
        yield c


def test_by_a_decorator():
    assert calls(decorated_with_a_collector(3)) == {"twice": 3, "leaf": 6}


def test_a_pytest_fixture_by_its_name(collector):
    """Its generator is suspended while the test runs: not on the stack, unless the test holds it by its name."""
    leaf()
    _timestamp_collector_ = collector
    twice()
    assert calls(collector) == {"twice": 1, "leaf": 2}


def test_stacks_of_contexts():
    async def main():
        async with contextlib.AsyncExitStack() as stack:
            one = stack.enter_context(Timestamp_Collector("one"))
            leaf()
            await asyncio.sleep(0)
            two = await stack.enter_async_context(asynchronous())
            twice()
            await asyncio.sleep(0)
            twice()
        leaf()
        return one, two

    @contextlib.asynccontextmanager
    async def asynchronous():
        with Timestamp_Collector("two") as c:
            await asyncio.sleep(0)
            yield c

    async def both():
        return await asyncio.gather(main(), main())

    for one, two in asyncio.run(both()):
        assert calls(two) == {"twice": 2, "leaf": 4}
        assert calls(one) == {"twice": 2, "leaf": 5, "two": 1}
    with contextlib.ExitStack() as stack:
        collectors = [stack.enter_context(Timestamp_Collector(f"c{i}")) for i in range(10)]
        leaf()
    leaf()
    for i, c in enumerate(collectors):
        assert calls(c) == {"leaf": 1, **{f"c{j}": 1 for j in range(i + 1, 10)}}


def test_left_in_the_wrong_order():
    one, two = Timestamp_Collector("one"), Timestamp_Collector("two")
    one.__enter__()
    leaf()
    two.__enter__()
    leaf()
    one.__exit__(None, None, None)
    leaf()
    two.__exit__(None, None, None)
    leaf()
    assert calls(one) == {"leaf": 2, "two": 1} and calls(two) == {"leaf": 2}
    if not FROM_OUTSIDE:
        return
    profile = dump(os.getpid()).check()
    assert profile.counts("calls", "open", "suspended") == {"one": (1, 0, 0), "two": (1, 0, 0), "leaf": (3, 0, 0)}


def test_left_from_within_a_call():
    c = Timestamp_Collector()

    @timestamp("leaves")
    def leaves():
        leaf()
        c.__exit__(None, None, None)
        leaf()

    c.__enter__()
    leaves()
    leaf()
    assert calls(c) == {"leaves": 1, "leaf": 1}
    if FROM_OUTSIDE:
        dump(os.getpid()).check()


def test_exceptions_through_several():
    def raises(n, collectors):
        with Timestamp_Collector(f"c{n}") as c:
            collectors.append(c)
            leaf()
            if n:
                raises(n - 1, collectors)
            raise KeyError

    collectors = []
    with pytest.raises(KeyError):
        raises(5, collectors)
    assert [calls(c)["leaf"] for c in collectors] == [6, 5, 4, 3, 2, 1]


# ---- with sessions, and resets from outside ----


def test_a_reset_takes_nothing_from_a_collector():
    with Timestamp_Collector() as c:
        leaf()
        timestamp_capture.reset()
        leaf()
        timestamp_capture.reset()
    assert calls(c) == {"leaf": 2}


def test_a_reset_takes_nothing_of_calls_that_are_open():
    @timestamp
    def resets():
        timestamp_capture.reset()

    with Timestamp_Collector() as c:
        leaf()
        resets()
    assert c.complete
    rows = {name: (n, inclusive > 0) for name, n, inclusive, *_ in c.timings()}
    assert rows == {"leaf": (1, True), resets.__qualname__: (1, True)}


def test_times_agree_with_the_sessions():
    start()
    with Timestamp_Collector("request") as c:
        for _ in range(300):
            twice(), fib(6)
    stop()
    profile = dump(os.getpid()).check()
    for name, n, inclusive, exclusive, *_ in c.timings():
        site = profile.site(name)
        assert site["calls"] == n
        assert inclusive == pytest.approx(site["inclusive_ns"], rel=0.001, abs=1000)
        assert exclusive == pytest.approx(site["exclusive_ns"], rel=0.001, abs=1000)


# ---- all of it at random, against an oracle that is handed from caller to callee ----


# The recorder in pure Python has no collectors that are not entered.
HOLDS = {"held": "held", "hold": "hold"} if FROM_OUTSIDE else {"held": "entered", "hold": "enter"}

class Oracle:
    """Runs a random program. `around`: the truth of the collectors that enclose what runs now."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.made = []

    def count(self, around, name):
        for truth in around:
            truth[name] += 1

    def new(self):
        name = f"c{self.random.randrange(4)}"
        c, truth = Timestamp_Collector(name), Counter()
        self.made.append((c, truth))
        return c, truth, name

    def entered(self, depth, around):
        c, truth, name = self.new()
        self.count(around, name)
        with c:
            self.run(depth, (*around, truth))

    def held(self, depth, around):
        _timestamp_collector_, truth, _ = self.new()
        self.run(depth, (*around, truth))

    def block(self, depth, around):
        self.count(around, "block")
        with timestamp_block("block"):
            self.run(depth, around)

    @timestamp("call")
    def call(self, depth, around):
        self.count(around, "call")
        self.run(depth, around)

    @timestamp("raises")
    def raises(self, depth, around):
        self.count(around, "raises")
        self.run(depth, around)
        raise KeyError

    def caught(self, depth, around):
        with contextlib.suppress(KeyError):
            self.raises(depth, around)

    def generator(self, depth, around):
        @timestamp("generator")
        def generator():
            for _ in range(3):
                self.run(depth, around)
                yield

        self.count(around, "generator")
        list(generator())

    def in_turns(self, depth, around):
        def generator():
            c, truth, name = self.new()
            self.count(around, name)
            with c:
                for _ in range(3):
                    self.run(depth, (*around, truth))
                    yield

        for _ in zip(generator(), generator()):
            self.leaf(around)

    def leaf(self, around):
        self.count(around, "leaf")
        leaf()

    def run(self, depth, around):
        if depth == 0:
            self.leaf(around)
            return
        for _ in range(self.random.randrange(1, 4)):
            action = self.random.choice(["entered", HOLDS["held"], "block", "call", "caught", "generator", "in_turns"])
            getattr(self, action)(depth - 1, around)

    # the same in tasks

    async def run_task(self, depth, around):
        for _ in range(self.random.randrange(1, 4)):
            action = self.random.choice(["run", "wait", "enter", HOLDS["hold"], "block", "await", "gather"] if depth else ["run", "wait"])
            await getattr(self, f"task_{action}")(depth - 1, around)

    async def task_run(self, depth, around):
        self.run(max(0, min(depth, 2)), around)

    async def task_wait(self, depth, around):
        await asyncio.sleep(0)

    async def task_enter(self, depth, around):
        c, truth, name = self.new()
        self.count(around, name)
        with c:
            await self.run_task(depth, (*around, truth))

    async def task_hold(self, depth, around):
        _timestamp_collector_, truth, _ = self.new()
        await self.run_task(depth, (*around, truth))

    async def task_block(self, depth, around):
        with timestamp_block("block"):
            self.count(around, "block")
            await self.run_task(depth, around)

    @timestamp("coroutine")
    async def task_await(self, depth, around):
        self.count(around, "coroutine")
        await self.run_task(depth, around)

    async def task_gather(self, depth, around):
        await asyncio.gather(*[self.run_task(depth, self.outermost) for _ in range(3)])

    def check(self):
        for c, truth in self.made:
            assert calls(c) == dict(truth), c.name
        return len(self.made), sum(sum(truth.values()) for _, truth in self.made)


def test_left_by_another_thread():
    """The thread that entered it lets go of it at its next call."""
    c = Timestamp_Collector("left elsewhere")
    entered, left = threading.Event(), threading.Event()

    @timestamp
    def inner():
        pass

    @timestamp
    def outer():
        c.__enter__()
        entered.set()
        left.wait(60)
        inner()

    thread = threading.Thread(target=outer)
    if FROM_OUTSIDE:
        start()
    thread.start()
    entered.wait(60)
    c.__exit__(None, None, None)
    left.set()
    thread.join()
    stop()
    assert not c.complete
    if FROM_OUTSIDE:
        profile = dump(os.getpid())
        assert all(site["open"] == site["suspended"] == 0 for site in profile.sites.values())
        assert [site["calls"] for site in profile["sites"] if site["name"] == "left elsewhere"] == [1]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("session", [False, True])
def test_random_programs(seed, session):
    if session:
        start()
    oracle = Oracle(seed)
    for _ in range(10):
        oracle.run(4, ())
    stop()
    made, counted = oracle.check()
    assert made > 100 and counted > 1000
    oracle.made.clear()
    if not FROM_OUTSIDE:
        return
    profile = dump(os.getpid())
    profile.check_sums()
    assert profile["losses"]["mismatched"] == profile["losses"]["clamped"] == 0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("session", [False, True])
def test_random_tasks(seed, session):
    if session:
        start()
    oracle = Oracle(100 + seed)
    oracle.outermost = ()

    async def main():
        await asyncio.gather(*[oracle.run_task(5, oracle.outermost) for _ in range(20)])

    asyncio.run(main())
    with Timestamp_Collector("outermost") as c:
        truth = Counter()
        oracle.made.append((c, truth))
        oracle.outermost = (truth,)
        asyncio.run(main())
    stop()
    made, counted = oracle.check()
    assert made > 50 and counted > 500
    oracle.made.clear()
    if not FROM_OUTSIDE:
        return
    profile = dump(os.getpid())
    profile.check_sums()
    assert profile["losses"]["mismatched"] == profile["losses"]["clamped"] == 0
    assert all(site["open"] == site["suspended"] == 0 for site in profile.sites.values())
