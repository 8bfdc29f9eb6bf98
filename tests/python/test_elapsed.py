"""Elapsed times in collectors: from a call's first start to its return, with all that a generator or coroutine waited."""
import asyncio
import threading
import time

import pytest

from timestamp_capture import Timestamp_Collector, timestamp

WAIT_NS = 20_000_000


@timestamp
def leaf():
    pass


@timestamp
def rests():
    time.sleep(WAIT_NS / 1e9)


@timestamp
async def awaits(seconds):
    await asyncio.sleep(seconds)


@timestamp
def numbers(n):
    for i in range(n):
        leaf()
        yield i


@timestamp
def nested(depth):
    yield depth
    if depth:
        yield from nested(depth - 1)


def elapsed(collector):
    return {name: times for name, *times in collector.elapsed_times()}


async def timed(awaitable):
    begin = time.perf_counter_ns()
    await awaitable
    return time.perf_counter_ns() - begin


def test_a_coroutine_that_awaits():
    async def both():
        return [await timed(awaits(seconds)) for seconds in (0.2, 0.02)]

    with Timestamp_Collector() as c:
        longer, shorter = asyncio.run(both())
    total, least, most = elapsed(c)["awaits"]
    assert 200_000_000 <= most <= longer and 20_000_000 <= least <= shorter
    assert abs(total - most - least) <= 3, "of calls one after the other, the sum"
    timing = c.get_method_timings()["awaits"]
    assert (timing.elapsed_ns, timing.elapsed_min_ns, timing.elapsed_max_ns) == (total, least, most)
    assert timing.elapsed_ms() == total / 1e6 and timing.elapsed_max_ms() == most / 1e6 and timing.elapsed_avg_ms() == total / 2e6
    assert timing.max_ns < most - 100_000_000, "it waited for nearly all of that"
    assert type(timing).from_json(timing.json()).json() == timing.json()


def test_what_never_waits_took_what_it_ran():
    with Timestamp_Collector() as c:
        rests()
        leaf()
        leaf()
    for name, calls, inclusive, _, least, most in c.timings():
        assert elapsed(c)[name] == [inclusive, least, most], calls


def test_waits_count_between_stretches_only():
    with Timestamp_Collector() as c:
        g = numbers(2)
        time.sleep(WAIT_NS / 1e9)  # it has not started
        begin = time.perf_counter_ns()
        assert next(g) == 0
        time.sleep(WAIT_NS / 1e9)
        assert next(g) == 1
        before_the_end = elapsed(c)["numbers"]
        assert list(g) == []
        lived = time.perf_counter_ns() - begin
        time.sleep(WAIT_NS / 1e9)  # it has returned
    total, least, most = elapsed(c)["numbers"]
    assert WAIT_NS <= least == most <= total + 3 and total <= lived
    assert before_the_end[0] >= WAIT_NS and before_the_end[1:] == [0, 0], "extremes are of calls that ended"


def test_waits_of_inner_calls_of_the_same_function_count_once():
    with Timestamp_Collector() as c:
        begin = time.perf_counter_ns()
        for _ in nested(3):
            time.sleep(WAIT_NS / 1e9)
        whole = time.perf_counter_ns() - begin
    total, least, most = elapsed(c)["nested"]
    assert 4 * WAIT_NS <= most <= whole and WAIT_NS <= least < most
    assert total <= whole, "of outermost calls"


def test_a_generator_that_goes_on_in_another_thread():
    with Timestamp_Collector() as c:
        g = numbers(1)
        begin = time.perf_counter_ns()
        next(g)
        time.sleep(WAIT_NS / 1e9)
        thread = threading.Thread(target=c.bind(lambda: list(g)))
        thread.start()
        thread.join()
        lived = time.perf_counter_ns() - begin
    _, least, most = elapsed(c)["numbers"]
    assert WAIT_NS <= least == most <= lived


def test_budgets():
    with Timestamp_Collector() as c:
        asyncio.run(awaits(0.2))
    ran = c.get_method_timings()["awaits"].max_ms()
    assert ran < 100, "it waited for nearly all of that"
    c.assert_budget("awaits", max_ms=ran + 0.001, elapsed_ms=60_000, calls=1)
    with pytest.raises(AssertionError, match="^over budget: awaits: elapsed_ms [0-9.]+ > 40$"):
        c.assert_budget("awaits", elapsed_ms=40)
    with pytest.raises(TypeError, match="elapsed_ms"):
        c.assert_budget(elapsed_ms=40)


def test_reports_show_it_where_anything_waited():
    with Timestamp_Collector() as c:
        leaf()
    assert "El." not in c.format_report()
    with c:
        asyncio.run(awaits(0.05))
    for report in (c.format_report(), c.format_report(show_self_time=False)):
        lines = [line for line in report.splitlines() if line]
        (header,) = [line for line in lines if " Calls " in line]
        (row,) = [line for line in lines if line.startswith("awaits ")]
        assert header.split()[-2:] == ["El.Avg", "El.Max"]
        mean, longest = [float(cell[:-2]) for cell in row.split()[-2:]]
        assert 50 <= mean == longest == pytest.approx(c.get_method_timings()["awaits"].elapsed_max_ms(), abs=0.01)
        assert len(row) <= max(len(line) for line in lines if set(line) == {"-"})


def shape(nodes):
    return [(n.name, shape(n.children)) for n in nodes]


def test_a_coroutine_is_one_node_of_the_call_tree():
    async def several():
        for _ in range(2):
            await awaits(0.1)

    with Timestamp_Collector() as c:
        asyncio.run(several())
    roots = c.build_call_tree()
    assert shape(roots) == [("awaits", [])] * 2
    for node in roots:
        assert node.end_ns - node.start_ns >= 100_000_000
        assert node.end_ns - node.start_ns - 50_000_000 > node.duration_ns == node.self_ns > 0
    least, most = elapsed(c)["awaits"][1:]
    lengths = sorted(node.end_ns - node.start_ns for node in roots)
    assert abs(lengths[0] - least) < 10_000_000 and abs(lengths[1] - most) < 10_000_000


def test_activations_of_one_function_are_told_apart_in_the_tree():
    with Timestamp_Collector() as c:
        a, b = numbers(3), numbers(1)
        for g in (a, b, a, b, a, a):
            next(g, None)
    first, second = c.build_call_tree()
    assert shape([first]) == [("numbers", [("leaf", [])] * 3)] and shape([second]) == [("numbers", [("leaf", [])])]
    for node in (first, second):
        assert node.self_ns == node.duration_ns - sum(child.duration_ns for child in node.children) >= 0
    assert first.start_ns < second.start_ns < second.end_ns < first.end_ns
    assert sum(int(line.rsplit(" ", 1)[1]) for line in c.to_flame_graph_stacks()) == first.duration_ns + second.duration_ns


def test_what_waits_still_is_in_the_tree():
    with Timestamp_Collector() as c:
        g = numbers(2)
        next(g)
        (node,) = c.build_call_tree()
    assert node.name == "numbers" and node.duration_ns == node.end_ns - node.start_ns > 0
    g.close()
