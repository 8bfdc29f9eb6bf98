"""What a collector keeps of each call: entries in the order of time, from the ring that holds them anyhow."""
import asyncio
import threading
import time

import pytest

import timestamp_capture
from timestamp_capture import Timestamp_Collector, start, stop, timestamp, timestamp_block


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


@timestamp
def numbers(n):
    for i in range(n):
        leaf()
        yield i


def shape(collector):
    return [(name, event, depth) for name, event, _, _, _, depth, *_ in collector._rows(0, 1 << 30)]


def timings(collector):
    return {name: row for name, *row in collector.timings()}


def check_times(collector):
    """Entries in order, between the ends, and on their clock; sums that agree with a replay of the entries."""
    rows = collector._rows(0, 1 << 30)
    assert [row[2] for row in rows] == sorted(row[2] for row in rows)
    if rows:
        assert collector.start_time_ns <= rows[0][2] and rows[-1][2] <= (collector.end_time_ns or time.perf_counter_ns())
    for name, calls, inclusive, exclusive, least, most in collector.timings():
        assert 0 <= exclusive and 0 <= least <= most and calls >= 1
        assert inclusive <= collector.total_duration_ns()
    return rows


def test_of_calls_and_blocks():
    before = time.perf_counter_ns(), time.time_ns()
    with Timestamp_Collector() as c:
        twice()
        with timestamp_block("block"):
            leaf()
    after = time.perf_counter_ns(), time.time_ns()
    assert shape(c) == [
        ("twice", "enter", 0), ("leaf", "enter", 1), ("leaf", "exit", 1), ("leaf", "enter", 1), ("leaf", "exit", 1), ("twice", "exit", 0),
        ("block", "enter", 0), ("leaf", "enter", 1), ("leaf", "exit", 1), ("block", "exit", 0),
    ]
    for _, _, when, clock, thread, *_ in check_times(c):
        assert before[0] <= when <= after[0] and before[1] - 10**6 <= clock <= after[1] + 10**6
        assert thread == threading.get_ident()
    assert before[0] <= c.start_time_ns <= c.end_time_ns <= after[0]
    assert abs(c.end_time_ns - c.start_time_ns - c.total_duration_ns()) <= 1
    assert c.entry_count() == 10 and c.dropped == 0 and c.complete


def test_sums_are_those_of_the_entries():
    """Each call's time less that of its direct callees, by an independent replay."""
    with Timestamp_Collector() as c:
        for _ in range(20):
            twice(), fib(6)
    stack, sums = [], {}
    for name, event, when, *_ in c._rows(0, 1 << 30):
        if event == "enter":
            stack.append([name, when, 0])
            continue
        called, began, children = stack.pop()
        assert called == name
        if stack:
            stack[-1][2] += when - began
        row = sums.setdefault(name, [0, 0, 0, 1 << 62, 0])
        outermost = all(name != other for other, *_ in stack)
        sums[name] = [row[0] + 1, row[1] + (when - began) * outermost, row[2] + when - began - children, min(row[3], when - began), max(row[4], when - began)]
    assert not stack
    rows = timings(c)
    assert set(rows) == set(sums) == {"twice", "leaf", "fib"}
    for name, (calls, *times) in rows.items():
        assert calls == sums[name][0]
        assert times == pytest.approx(sums[name][1:], abs=2 * calls)  # entries are rounded one by one


def test_depth_and_what_is_open():
    with Timestamp_Collector() as c:
        with timestamp_block("a"):
            with timestamp_block("b"):
                assert {name: row[0] for name, row in timings(c).items()} == {"a": 1, "b": 1}
    assert shape(c) == [("a", "enter", 0), ("b", "enter", 1), ("b", "exit", 1), ("a", "exit", 0)]


def test_more_calls_than_the_ring_has_room_for():
    """It is read before it is overwritten, at whatever pace."""
    with Timestamp_Collector() as c:
        for _ in range(30_000):
            twice()
    rows = check_times(c)
    assert len(rows) == c.entry_count() == 180_000 and c.complete
    for i in range(0, len(rows), 6):
        assert [row[0] for row in rows[i : i + 6]] == ["twice", "leaf", "leaf", "leaf", "leaf", "twice"]


def test_recursion_deeper_than_the_ring():
    import sys

    limit = sys.getrecursionlimit()

    @timestamp
    def descend(n):
        return descend(n - 1) if n else 0

    with Timestamp_Collector() as c:
        sys.setrecursionlimit(3000 + limit)
        try:
            for _ in range(10):
                descend(2500)
        finally:
            sys.setrecursionlimit(limit)
    assert c.entry_count() == 2 * 10 * 2501
    (row,) = c.timings()
    assert row[1] == 25010 and row[2] == row[3] <= c.total_duration_ns()
    assert max(row[5] for row in c._rows(0, 1 << 30)) == 2500


def test_bounded():
    with Timestamp_Collector(max_entries=5) as c:
        for _ in range(100):
            twice()
    assert len(c._rows(0, 1 << 30)) == 5 and c.dropped == 595 and c.entry_count() == 600
    assert {name: row[0] for name, row in timings(c).items()} == {"twice": 100, "leaf": 200}
    assert c.complete
    with pytest.raises(ValueError):
        Timestamp_Collector(max_entries=-1)


def test_by_exception():
    @timestamp("fails")
    def fails():
        raise KeyError

    with Timestamp_Collector() as c:
        for _ in range(2):
            with pytest.raises(KeyError):
                fails()
        leaf()
    assert [(row[0], row[1]) for row in c._rows(0, 9) if row[7]] == [("fails", "exit")] * 2


def test_generators():
    with Timestamp_Collector() as c:
        for _ in numbers(2):
            twice()
    events = [(name, event) for name, event, depth in shape(c) if depth == 0]
    assert events == [
        ("numbers", "enter"), ("numbers", "suspend"), ("twice", "enter"), ("twice", "exit"),
        ("numbers", "resume"), ("numbers", "suspend"), ("twice", "enter"), ("twice", "exit"),
        ("numbers", "resume"), ("numbers", "exit"),
    ]
    assert timings(c)["numbers"][0] == 1
    check_times(c)


def test_coroutines_run_only_while_they_run():
    @timestamp("waits")
    async def waits(event):
        await event.wait()

    async def wake():
        event = asyncio.Event()
        task = asyncio.ensure_future(waits(event))
        await asyncio.sleep(0)  # it waits from here on
        begin = time.perf_counter_ns()
        await asyncio.sleep(0.05)
        waited = time.perf_counter_ns() - begin
        event.set()
        await task
        return waited

    with Timestamp_Collector() as c:
        waited = asyncio.run(wake())
    calls, inclusive, *_ = timings(c)["waits"]
    assert calls == 1 and waited > 40_000_000 and inclusive <= c.total_duration_ns() - waited


def test_blocks_of_tasks_that_overlap():
    """Two tasks in one collector, each inside a block across an await: no time counts twice."""

    async def task(name):
        with timestamp_block(name):
            for _ in range(3):
                end = time.perf_counter_ns() + 1_000_000
                while time.perf_counter_ns() < end:
                    pass
                await asyncio.sleep(0)

    async def both():
        await asyncio.gather(task("a"), task("b"))

    with Timestamp_Collector() as c:
        asyncio.run(both())
    rows = timings(c)
    assert rows["a"][0] == rows["b"][0] == 1
    assert 0 <= rows["a"][2] and 0 <= rows["b"][2] and rows["a"][2] + rows["b"][2] <= c.total_duration_ns()
    check_times(c)


def test_a_block_that_ends_below_that_of_another_task():
    """It has ended then, not when the other one does."""

    async def both():
        over = asyncio.Event()

        async def short():
            with timestamp_block("short"):
                await asyncio.sleep(0.01)
            over.set()

        async def long():
            with timestamp_block("long"):
                await over.wait()
                await asyncio.sleep(0.05)

        await asyncio.gather(short(), long())

    with Timestamp_Collector() as c:
        asyncio.run(both())
    rows = timings(c)
    assert 10_000_000 <= rows["short"][1] <= c.total_duration_ns() - 50_000_000
    assert 50_000_000 <= rows["long"][1] < c.total_duration_ns()
    assert rows["short"][2] + rows["long"][2] <= c.total_duration_ns()


def test_shortest_and_longest():
    @timestamp("waits")
    def waits(seconds):
        time.sleep(seconds)

    outside = []
    with Timestamp_Collector() as c:
        for seconds in 0.001, 0.05, 0.01:
            began = time.perf_counter_ns()
            waits(seconds)
            outside.append(time.perf_counter_ns() - began)
        list(numbers(3))
    _, inclusive, _, least, most = timings(c)["waits"]
    assert 1_000_000 <= least <= min(outside)
    assert 50_000_000 <= most <= max(outside) and most < inclusive
    _, inclusive, _, least, most = timings(c)["numbers"]
    assert least == most == pytest.approx(inclusive, abs=2)  # of its four stretches together


def test_nested_collectors_have_the_same_calls():
    with Timestamp_Collector("outer") as outer:
        leaf()
        with Timestamp_Collector("inner") as inner:
            twice()
    assert [name for name, event, _ in shape(inner) if event == "enter"] == ["twice", "leaf", "leaf"]
    assert [(name, depth) for name, event, depth in shape(outer) if event == "enter"] == [
        ("leaf", 0), ("inner", 0), ("twice", 1), ("leaf", 2), ("leaf", 2)]
    assert timings(inner)["twice"] == timings(outer)["twice"]


def test_seen_from_another_thread():
    inside, go_on, collectors = threading.Event(), threading.Event(), []

    def work():
        with Timestamp_Collector() as c:
            collectors.append(c)
            twice()
            inside.set()
            go_on.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(60)
    c = collectors[0]
    assert c.entry_count() == 6 and timings(c)["leaf"][0] == 2
    go_on.set()
    thread.join()
    assert c.entry_count() == 6 and c.complete


def test_one_collector_on_several_threads():
    c = Timestamp_Collector()

    def work(n):
        with c:
            for _ in range(n):
                twice()

    threads = [threading.Thread(target=work, args=(n,)) for n in (100, 200, 300)]
    with c:
        for thread in threads:
            thread.start()
        twice()
        for thread in threads:
            thread.join()
    assert not c.is_active() and c.complete
    assert {name: row[0] for name, row in timings(c).items()} == {"twice": 601, "leaf": 1202}
    rows = check_times(c)
    assert len({row[4] for row in rows}) >= 2
    for stack in {row[6] for row in rows}:
        depth = 0
        for _, event, _, _, _, at, play, *_ in rows:
            if play == stack:
                depth -= event == "exit"
                assert at == depth
                depth += event == "enter"
        assert depth == 0


def test_a_session_beside_it():
    start()
    try:
        leaf()
        with Timestamp_Collector() as c:
            twice()
        leaf()
    finally:
        stop()
        timestamp_capture.reset()
    assert [name for name, event, _ in shape(c) if event == "enter"] == ["twice", "leaf", "leaf"]


def test_by_hand():
    with Timestamp_Collector() as c:
        assert [c._begin("a"), c._begin("b"), c._begin("b")] == [0, 1, 2]
        leaf()
        assert c._end("a") == 7 and c._end("c") is None
    assert c._begin("a") is None and c._end("b") is None
    assert [(name, event) for name, event, _ in shape(c) if event in ("enter", "exit")] == [
        ("a", "enter"), ("b", "enter"), ("b", "enter"), ("leaf", "enter"), ("leaf", "exit"), ("a", "exit"), ("b", "exit"), ("b", "exit")]
    with pytest.raises(TypeError):
        c._begin(5)


def test_two_functions_of_one_name():
    """Nested, they are one name's recursion: its time counts once."""

    @timestamp("same")
    def inner():
        pass

    @timestamp("same")
    def outer():
        inner()

    with Timestamp_Collector() as c:
        outer()
    ((name, calls, inclusive, exclusive, *_),) = c.timings()
    assert (name, calls) == ("same", 2) and inclusive == pytest.approx(exclusive, abs=2)


def test_order_of_first_ends():
    with Timestamp_Collector() as c:
        twice()
        with timestamp_block("block"):
            pass
    assert [name for name, *_ in c.timings()] == ["leaf", "twice", "block"]


def test_within_itself():
    c = Timestamp_Collector("same")

    def recursive(n):
        with c:
            leaf()
            if n:
                recursive(n - 1)

    recursive(2)
    assert [name for name, event, _ in shape(c) if event == "enter"] == ["leaf", "same", "leaf", "same", "leaf"]
    assert timings(c)["leaf"][0] == 3
