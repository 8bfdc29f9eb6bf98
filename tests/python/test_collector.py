"""`with Timestamp_Collector():` records what the frame that entered it calls, on its thread, and nothing else."""
import asyncio
import gc
import os
import threading
import time

import pytest

import timestamp_capture
from reading import dump
from timestamp_capture import Timestamp_Collector, start, status, stop, timestamp, timestamp_block


@timestamp
def leaf():
    pass


@timestamp
def twice():
    leaf()
    leaf()


@timestamp
def raises():
    leaf()
    raise KeyError


@timestamp
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@timestamp
def numbers(n):
    for i in range(n):
        leaf()
        yield i


def calls(collector):
    return {name: n for name, n, *_ in collector.timings()}


def busy(ns):
    end = time.perf_counter_ns() + ns
    while time.perf_counter_ns() < end:
        pass


@pytest.fixture(autouse=True)
def nothing_left():
    timestamp_capture.reset()
    yield
    stop()
    assert status()["consumers"] == 0
    timestamp_capture.reset()


def test_counts_and_times():
    @timestamp("outer")
    def outer():
        busy(3_000_000)
        inner()

    @timestamp("inner")
    def inner():
        busy(2_000_000)

    begin = time.perf_counter_ns()
    with Timestamp_Collector("request") as c:
        outer(), outer(), inner()
    elapsed = time.perf_counter_ns() - begin
    rows = {name: row for name, *row in c.timings()}
    assert rows["outer"][0] == 2 and rows["inner"][0] == 3
    assert 10_000_000 <= rows["outer"][1] <= elapsed and 6_000_000 <= rows["outer"][2] <= rows["outer"][1] - 4_000_000 + 1_000_000
    assert rows["inner"][1] == rows["inner"][2] >= 6_000_000
    assert 12_000_000 <= c.total_duration_ns() <= elapsed
    assert c.total_duration_ms() == pytest.approx(c.total_duration_ns() / 1e6)
    assert (c.name, c.complete, c.method_count(), c.entry_count()) == ("request", True, 2, 10)


def test_any_variable_name():
    with Timestamp_Collector() as _timestamp_collector_:
        leaf()
    with Timestamp_Collector("named"):
        leaf()
    collectors = [Timestamp_Collector()]
    with collectors[0]:
        twice()
    assert calls(_timestamp_collector_) == {"leaf": 1}
    assert calls(collectors[0]) == {"leaf": 2, "twice": 1}
    assert _timestamp_collector_.name == "default"


def test_nothing_outside():
    leaf()
    with Timestamp_Collector() as c:
        pass
    leaf()
    assert c.timings() == [] and c.entry_count() == 0


def test_recursion():
    with Timestamp_Collector() as c:
        fib(10)
    ((name, n, inclusive, exclusive, *_),) = c.timings()
    assert (name, n) == ("fib", 177)
    assert 0 < exclusive == inclusive <= c.total_duration_ns()


def test_nested_ones_see_what_they_enclose():
    with Timestamp_Collector("outer") as outer:
        leaf()
        with Timestamp_Collector("inner") as inner:
            twice()
        leaf()
    assert calls(inner) == {"leaf": 2, "twice": 1}
    # the inner one is a node of the outer one's tree, like a block
    assert calls(outer) == {"leaf": 4, "twice": 1, "inner": 1}


def test_entered_again():
    c = Timestamp_Collector()
    for i in range(1, 4):
        with c:
            leaf()
        assert calls(c) == {"leaf": i}
    assert c.complete


def test_entered_within_itself():
    c = Timestamp_Collector("same")

    def recursive(n):
        with c:
            assert c.is_active()
            leaf()
            if n:
                recursive(n - 1)

    recursive(3)
    assert not c.is_active()
    assert calls(c)["leaf"] == 4 and c.complete


def test_many_in_turn():
    for i in range(1, 300):
        with Timestamp_Collector(f"collector {i % 5}") as c:
            for _ in range(i % 4):
                twice()
        assert calls(c) == ({"twice": i % 4, "leaf": 2 * (i % 4)} if i % 4 else {}), i
        assert c.complete


def test_exceptions():
    c = Timestamp_Collector()
    with pytest.raises(KeyError):
        with c:
            leaf()
            raises()
    assert not c.is_active() and c.complete
    assert calls(c) == {"leaf": 2, "raises": 1}
    with c:
        leaf()
    assert calls(c) == {"leaf": 3, "raises": 1}


def test_left_by_return():
    def returns():
        with Timestamp_Collector() as c:
            twice()
            return c

    assert calls(returns()) == {"leaf": 2, "twice": 1}


def test_blocks_inside():
    with Timestamp_Collector() as c:
        with timestamp_block("block"):
            leaf()
    assert calls(c) == {"block": 1, "leaf": 1}


def test_generators_inside():
    with Timestamp_Collector() as c:
        list(numbers(3))
        g = numbers(5)
        next(g)
    assert calls(c) == {"numbers": 2, "leaf": 4}
    list(g)
    assert calls(c) == {"numbers": 2, "leaf": 4}


def test_threads_of_their_own_are_not_recorded():
    with Timestamp_Collector() as c:
        leaf()
        thread = threading.Thread(target=twice)
        thread.start()
        thread.join()
        leaf()
    assert calls(c) == {"leaf": 2}
    assert c.complete


def test_each_thread_its_own():
    results, barrier = {}, threading.Barrier(4)

    def work(n):
        barrier.wait()
        for _ in range(50):
            with Timestamp_Collector(f"thread {n}") as c:
                for _ in range(n):
                    twice()
            assert calls(c) == {"twice": n, "leaf": 2 * n}, c.timings()
        results[n] = c.complete

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {1: True, 2: True, 3: True, 4: True}


def test_callees_of_others_are_not_recorded():
    """A task or generator that runs meanwhile, but was not called by the frame that entered."""
    c = Timestamp_Collector()

    def generator():
        with c:
            leaf()
            yield
            leaf()
            yield

    g = generator()
    next(g)
    twice(), leaf()  # the collector is open, its frame is not on the stack
    next(g)
    twice()
    g.close()
    assert not c.is_active()
    assert calls(c) == {"leaf": 2}


def test_tasks_one_after_the_other():
    async def request(n):
        with Timestamp_Collector("request") as c:
            for _ in range(n):
                twice()
                await asyncio.sleep(0)
        return c

    async def main():
        return [await request(n) for n in range(1, 6)]

    for n, c in enumerate(asyncio.run(main()), 1):
        assert c.complete and calls(c) == {"twice": n, "leaf": 2 * n}


def test_session_and_calls_of_another_task():
    """The session has them, the collector does not."""
    start()

    async def other():
        for _ in range(5):
            leaf()
            await asyncio.sleep(0)

    async def main():
        task = asyncio.ensure_future(other())
        with Timestamp_Collector("request") as c:
            twice()
            await asyncio.sleep(0)
            twice()
        await task
        return c

    c = asyncio.run(main())
    stop()
    assert c.complete and calls(c) == {"twice": 2, "leaf": 4}
    assert dump(os.getpid()).counts() == {"twice": 2, "leaf": 9, "request": 1}


def test_with_a_session_both_are_exact():
    start()
    leaf()
    with Timestamp_Collector("request") as c:
        twice(), fib(5)
    leaf()
    thread = threading.Thread(target=twice)
    thread.start()
    thread.join()
    stop()
    assert calls(c) == {"twice": 1, "leaf": 2, "fib": 15}
    profile = dump(os.getpid()).check()
    assert profile.counts() == {"leaf": 6, "twice": 2, "fib": 15, "request": 1}
    assert profile.pairs()["request", "twice"] == (1, 1)
    assert profile.site("request")["kind"] == "collector"


def test_session_begins_and_ends_inside():
    with Timestamp_Collector("request") as c:
        leaf()
        start()
        twice()
        stop()
        leaf()
    assert calls(c) == {"leaf": 4, "twice": 1}
    assert c.complete


def test_session_ends_before_the_collector():
    start()
    with Timestamp_Collector("request") as c:
        leaf()
        stop()
        leaf()
    assert calls(c) == {"leaf": 2}


def test_seen_from_outside():
    with Timestamp_Collector("request"):
        twice()
        during = dump(os.getpid())
    after = dump(os.getpid()).check()
    assert during.counts("calls", "open") == {"request": (1, 1), "twice": (1, 0), "leaf": (2, 0)}
    assert after.paths() == {("request",): 1, ("request", "twice"): 1, ("request", "twice", "leaf"): 2}


def test_left_by_being_dropped():
    def generator():
        with Timestamp_Collector():
            yield

    next(generator())
    gc.collect()
    assert status()["consumers"] == 0
    c = Timestamp_Collector()
    c.__enter__()
    del c
    gc.collect()
    assert status()["consumers"] == 0
    with Timestamp_Collector() as c:
        leaf()
    assert calls(c) == {"leaf": 1}


def test_left_without_being_entered():
    c = Timestamp_Collector()
    assert c.__exit__(None, None, None) is False
    assert c.timings() == []


def test_entered_with_an_exit_stack():
    """The frame that enters is contextlib's, the one that counts is its caller's."""
    import contextlib

    with contextlib.ExitStack() as stack:
        c = stack.enter_context(Timestamp_Collector())
        twice()
    assert calls(c) == {"twice": 1, "leaf": 2}


def test_inside_other_context_managers():
    import contextlib

    @contextlib.contextmanager
    def by_generator():
        with Timestamp_Collector() as c:
            leaf()
            yield c

    class ByClass:
        def __enter__(self):
            self.c = Timestamp_Collector()
            self.c.__enter__()
            return self.c

        def __exit__(self, *exception):
            return self.c.__exit__(*exception)

    @contextlib.asynccontextmanager
    async def by_async_generator():
        with Timestamp_Collector() as c:
            leaf()
            await asyncio.sleep(0)
            yield c

    async def main():
        async with by_async_generator() as c:
            twice()
            await asyncio.sleep(0)
            twice()
        return c

    with by_generator() as one:
        twice()
    with ByClass() as two:
        twice()
    assert calls(one) == {"leaf": 3, "twice": 1}
    assert calls(two) == {"leaf": 2, "twice": 1}
    assert calls(asyncio.run(main())) == {"leaf": 5, "twice": 2}


def test_the_frame_that_entered_is_gone():
    """Nobody is called by it any more, whoever uses its memory next."""
    c = Timestamp_Collector()

    def begins():
        c.__enter__()
        leaf()

    def calls_leaf():
        leaf()

    begins()
    for _ in range(100):
        calls_leaf()
    c.__exit__(None, None, None)
    assert calls(c) == {"leaf": 1}


def test_fork_inside():
    with Timestamp_Collector() as c:
        leaf()
        pid = os.fork()
        if pid == 0:
            status_ = 1
            try:
                c.__exit__(None, None, None)
                ok = status()["consumers"] == 0 and not c.complete
                with Timestamp_Collector() as own:
                    twice()
                status_ = 0 if ok and calls(own) == {"twice": 1, "leaf": 2} and status()["consumers"] == 0 else 2
            finally:
                os._exit(status_)
        leaf()
    assert os.waitpid(pid, 0)[1] == 0
    assert calls(c) == {"leaf": 2} and c.complete


def test_left_on_another_thread():
    c = Timestamp_Collector()
    c.__enter__()
    leaf()
    thread = threading.Thread(target=lambda: c.__exit__(None, None, None))
    thread.start()
    thread.join()
    assert not c.is_active() and not c.complete
    assert status()["consumers"] == 0
    leaf()
    with Timestamp_Collector() as later:
        leaf()
    assert calls(later) == {"leaf": 1}


def test_left_after_its_thread_has_gone():
    collectors = []

    def enters():
        c = Timestamp_Collector()
        c.__enter__()
        leaf()
        collectors.append(c)

    for _ in range(5):
        thread = threading.Thread(target=enters)
        thread.start()
        thread.join()
    while collectors:
        c = collectors.pop()
        c.__exit__(None, None, None)
        assert not c.complete
    assert status()["consumers"] == 0


def test_in_deep_recursion():
    def descend(n):
        if n:
            return descend(n - 1)
        with Timestamp_Collector() as c:
            for _ in range(100):
                twice()
        return c

    assert calls(descend(500)) == {"twice": 100, "leaf": 200}


def test_many_calls_inside():
    with Timestamp_Collector() as c:
        for _ in range(50_000):
            twice()
    assert calls(c) == {"twice": 50_000, "leaf": 100_000}
    assert c.complete


def test_report():
    with Timestamp_Collector("the report") as c:
        twice()
    lines = c.format_report().splitlines()
    assert lines[1] == "Timestamp Report: the report"
    assert any(line.split()[:2] == ["twice", "1"] for line in lines)
    assert any(line.split()[:2] == ["leaf", "2"] for line in lines)
    assert "  Entry Count    : 6" in lines and "  Methods Traced : 2" in lines
    assert "Incomplete" not in c.format_report()


def test_report_is_printed(capsys):
    with Timestamp_Collector("printed") as c:
        leaf()
    c.print_report()
    assert capsys.readouterr().out == c.format_report() + "\n"


def test_subclass():
    class Mine(Timestamp_Collector):
        def __init__(self, name):
            super().__init__(name)
            self.extra = 1

    with Mine("mine") as c:
        leaf()
    assert calls(c) == {"leaf": 1} and c.extra == 1 and c.name == "mine"


def test_arguments():
    assert Timestamp_Collector().name == "default"
    assert Timestamp_Collector(name="x").name == "x"
    with pytest.raises(TypeError):
        Timestamp_Collector(5)
