"""The public API in Python: entries, analysis, reports, exports, budgets, names with arguments, propagation."""
import asyncio
import concurrent.futures
import inspect
import json
import pydoc
import re
import sys
import threading
import time

import pytest

import timestamp_capture as tc
from timestamp_capture import (
    Timestamp_Collector,
    Timestamp_Collector__Analysis,
    Timestamp_Collector__Export,
    Timestamp_Collector__Report,
    find_timestamp_collector,
    status,
    timestamp,
    timestamp_args,
    timestamp_block,
)


@timestamp("leaf")
def leaf():
    pass


@timestamp("twice")
def twice():
    leaf()
    leaf()


def calls(collector):
    return {name: timing.call_count for name, timing in collector.get_method_timings().items()}


@pytest.fixture
def collector():
    """twice() within a block within blocks."""
    with Timestamp_Collector("sample") as c:
        with timestamp_block("db.query"):
            with timestamp_block("db.query.parse"):
                twice()
        with timestamp_block("db.commit"):
            pass
        leaf()
    return c


# ---- entries ----


def test_entries_are_a_sequence(collector):
    entries = collector.entries
    assert len(entries) == collector.entry_count() == 14
    assert [e.name for e in entries] == [entries[i].name for i in range(14)] == [e.name for e in entries[:]]
    assert entries[-1] == entries[13] and entries[2:5] == [entries[2], entries[3], entries[4]]
    assert entries[::-1] == list(reversed(list(entries))) and entries[5:2] == []
    assert entries == list(entries) and entries != [] and Timestamp_Collector().entries == []
    with pytest.raises(IndexError):
        entries[14]
    with pytest.raises(IndexError):
        entries[-15]
    assert repr(entries).startswith("[Schema__Timestamp_Entry(name='db.query', event='enter'") and repr(entries).endswith("...]")


def test_record_enter_and_exit():
    c = Timestamp_Collector("by hand")
    assert c.record("a", "enter") is None and c.entries == []
    c.enter("a")
    c.exit("a")
    with c:
        first = c.record("a", "enter", extra={"x": 1})
        c.enter("b", extra={"y": 2})
        assert c._depth == 2 and [e.name for e in c._call_stack] == ["a", "b"]
        leaf()
        c.exit("b", extra={"z": 3})
        mark = c.record("note", "mark", {"w": 4})
        stray = c.record("stray", "exit")
        last = c.record("a", "exit")
    assert [(e.name, e.event, e.depth, e.extra) for e in c.entries] == [
        ("a", "enter", 0, {"x": 1}), ("b", "enter", 1, {"y": 2}), ("leaf", "enter", 2, None), ("leaf", "exit", 2, None),
        ("b", "exit", 1, {"z": 3}), ("note", "mark", 1, {"w": 4}), ("stray", "exit", 1, None), ("a", "exit", 0, None)]
    assert first == c.entries[0] and mark == c.entries[5] and stray == c.entries[6] and last == c.entries[7]
    assert calls(c) == {"leaf": 1, "b": 1, "a": 1} and c.method_count() == 5 and c.entry_count() == 8
    assert first.clock_ns > 0 and first.thread_id == threading.get_ident() == c.thread_id


def test_what_is_by_hand_is_seen_by_tscap(recording):
    with recording:
        with Timestamp_Collector("request") as c:
            c.enter("by hand")
            c.exit("by hand")
    assert recording.profile.check().paths()[("request", "by hand")] == 1


def test_bounded():
    with Timestamp_Collector(max_entries=4) as c:
        for _ in range(10):
            twice()
        assert c.record("late", "enter") is None  # recorded, but not kept
        c.exit("late")
        assert [c.record("mark", "mark") is None for _ in range(5)] == [False] * 4 + [True]
    assert c.dropped == 58 and c.entry_count() == 66 and len(c.entries) == 8
    assert calls(c) == {"leaf": 20, "twice": 10, "late": 1}
    assert "Dropped: 58 entries beyond the first 4; timings count all." in c.format_report()
    with pytest.raises(RuntimeError, match="max_entries"):
        c.roll_up()
    json.loads(c.to_speedscope_json())
    with Timestamp_Collector(max_entries=0) as c:
        twice()
    assert c.dropped == 6 and "Dropped" not in c.format_report()


# ---- analysis ----


def test_analysis(collector):
    analysis = Timestamp_Collector__Analysis(collector=collector)
    timings = analysis.get_method_timings()
    assert list(timings) == ["leaf", "twice", "db.query.parse", "db.query", "db.commit"]
    assert [t.name for t in analysis.get_timings_by_call_count()][0] == "leaf"
    totals = [t.total_ns for t in analysis.get_timings_by_total()]
    assert totals == sorted(totals, reverse=True)
    own = [t.self_ns for t in analysis.get_hotspots(3)]
    assert own == sorted(own, reverse=True) and len(own) == 3
    for t in timings.values():
        assert 0 <= t.self_ns <= t.total_ns <= collector.total_duration_ns()
        assert 0 < t.min_ns <= t.avg_ms() * 1e6 + 1 and t.max_ns >= t.min_ns
        assert t.total_ms() == t.total_ns / 1e6 == tc.method_timing__total_ms(t)
    roots = sum(n.duration_ns for n in collector.build_call_tree())
    assert abs(sum(t.self_ns for t in timings.values()) - roots) <= 20


def test_recursion_is_not_more_than_all():
    @timestamp("down")
    def down(n):
        return down(n - 1) if n else 0

    with Timestamp_Collector() as c:
        down(50)
    assert c.get_method_timings()["down"].total_ns <= c.total_duration_ns()
    share = re.search(r"down .* (\d+\.\d)%", c.format_report())
    assert share and float(share.group(1)) <= 100


def test_roll_up(collector):
    sums = collector.roll_up()
    names = collector.get_method_timings()
    assert set(sums) == {"leaf", "twice", "db", "db.query", "db.query.parse", "db.commit"}
    assert sums["db"].call_count == 3
    assert sums["db"].self_ns == sum(names[n].self_ns for n in names if n.startswith("db."))
    assert abs(sums["db"].total_ns - names["db.query"].total_ns - names["db.commit"].total_ns) <= 4  # parse lies within query
    assert sums["db"].min_ns == min(names[n].min_ns for n in names if n.startswith("db."))


# ---- reports ----


def test_report_to_the_character(monkeypatch):
    rows = [("outer", 1, 20_000_000, 5_000_000, 20_000_000, 20_000_000), ("inner", 3, 15_000_000, 15_000_000, 4_000_000, 6_000_000)]

    class Fixed(Timestamp_Collector):
        def timings(self):
            return rows

        def total_duration_ns(self):
            return 25_000_000

        def entry_count(self):
            return 1234

    report = Timestamp_Collector__Report(collector=Fixed("name"))
    double, single = "=" * 90, "-" * 90
    assert report.format_report() == "\n".join([
        double, "Timestamp Report: name", double, "", "  Total Duration : 25.00 ms", "  Entry Count    : 1,234", "  Methods Traced : 2", "",
        "Method Timings (sorted by total time):", single,
        "Method                                    Calls      Total       Self       Avg  %Total", single,
        "outer                                         1     20.00ms      5.00ms   20.000ms   80.0%",
        "inner                                         3     15.00ms     15.00ms    5.000ms   60.0%",
        "", double])
    assert report.format_report(show_self_time=False).splitlines()[10:15] == [
        "Method                                    Calls  Total(ms)    Avg(ms)  %Total", single,
        "outer                                         1      20.00     20.000   80.0%",
        "inner                                         3      15.00      5.000   60.0%", ""]
    assert report.format_hotspots(5) == "\n".join([
        "=" * 80, "Top 5 Hotspots (by self-time)", "=" * 80,
        "   1. inner                                       15.00ms ( 60.0%) [3 calls]",
        "   2. outer                                        5.00ms ( 20.0%) [1 calls]", "=" * 80])


def test_timeline(collector):
    lines = collector.format_timeline(max_entries=4).splitlines()
    assert lines[:4] == ["=" * 80, "Execution Timeline", "=" * 80, "(showing first 4 of 14 entries)"]
    assert [re.sub(r"^ *\d+\.\d{3}ms ", "", line) for line in lines[4:-1]] == ["▶ db.query", "  ▶ db.query.parse", "    ▶ twice", "      ▶ leaf"]
    assert "showing" not in collector.format_timeline() and "◀ db.commit" in collector.format_timeline()


def test_printing(collector, capsys):
    collector.print_all()
    assert capsys.readouterr().out == f"{collector.format_report()}\n{collector.format_hotspots()}\n{collector.format_timeline()}\n"


def test_while_it_is_active():
    with Timestamp_Collector() as c:
        with timestamp_block("open"):
            leaf()
            assert c.total_duration_ns() > 0 and "leaf" in c.format_report()
            (root,) = c.build_call_tree()
            assert root.duration_ns > 0 and root.self_ns >= 0
            check_speedscope(c)


# ---- exports ----


def test_call_tree(collector):
    def shape(nodes):
        return [(n.name, n.depth, shape(n.children)) for n in nodes]

    roots = collector.build_call_tree()
    assert shape(roots) == [
        ("db.query", 0, [("db.query.parse", 1, [("twice", 2, [("leaf", 3, []), ("leaf", 3, [])])])]), ("db.commit", 0, []), ("leaf", 0, [])]
    nodes = [roots[0], roots[0].children[0]]
    for n in nodes:
        assert n.self_ns == n.duration_ns - sum(c.duration_ns for c in n.children) >= 0
        assert n.duration_ns == n.end_ns - n.start_ns and n.duration_ms == n.duration_ns / 1e6
    assert [roots[0].call_index, roots[1].call_index, roots[2].call_index] == [0, 5, 6]


def test_folded_stacks():
    with Timestamp_Collector() as c:
        for _ in range(3):
            with timestamp_block("a;b c\nd"):
                leaf()
    stacks = dict(line.rsplit(" ", 1) for line in c.to_flame_graph_stacks())
    assert list(stacks) == ["a:b c d;leaf", "a:b c d"]
    assert sum(map(int, stacks.values())) == sum(n.duration_ns for n in c.build_call_tree())
    assert c.to_flame_graph_string() == "\n".join(c.to_flame_graph_stacks())


def test_full_export(collector, tmp_path):
    full = collector.to_export_full()
    document = full.json()
    assert list(document) == ["metadata", "entries", "method_timings", "call_tree"]
    assert list(document["metadata"]) == [
        "name", "total_duration_ns", "total_duration_ms", "entry_count", "method_count", "start_time_ns", "end_time_ns"]
    assert list(document["entries"][0]) == ["name", "event", "timestamp_ns", "clock_ns", "depth", "thread_id"]
    assert list(document["method_timings"][0]) == [
        "name", "call_count", "total_ns", "total_ms", "self_ns", "self_ms", "avg_ms", "min_ns", "max_ns",
        "elapsed_ns", "elapsed_min_ns", "elapsed_max_ns"]
    assert list(document["call_tree"][0]) == [
        "name", "start_ns", "end_ns", "duration_ns", "duration_ms", "self_ns", "self_ms", "depth", "call_index", "children"]
    path = tmp_path / "full.json"
    assert Timestamp_Collector__Export(collector=collector).to_json_file(path) == path
    assert json.loads(path.read_text()) == document
    assert tc.Schema__Export_Full.from_json(document) == full == tc.Schema__Export_Full.from_json(path.read_text())
    assert full.obj().call_tree[0].children[0].name == "db.query.parse"
    with full as same:
        assert same is full


def test_summary_export(collector):
    summary = collector.to_export_summary()
    assert list(summary.json()) == ["name", "total_duration_ms", "method_count", "entry_count", "hotspots"]
    assert list(summary.json()["hotspots"][0]) == ["name", "self_ms", "percentage", "calls"]
    assert summary.name == "sample" and summary.method_count == 5 and summary.entry_count == 14 and len(summary.hotspots) == 5
    assert tc.Schema__Export_Summary.from_json(summary.json()) == summary


def test_a_summary_of_microseconds_is_not_of_nothing():
    with Timestamp_Collector() as c:
        for _ in range(100):
            leaf()
        with timestamp_block("longer"):
            time.sleep(0.01)
    (longer, short), timings = c.to_export_summary().hotspots, c.get_method_timings()
    assert longer.self_ms == round(timings["longer"].self_ms(), 2)
    assert short.self_ms == (round(timings["leaf"].self_ms(), 2) or timings["leaf"].self_ms()) > 0
    with Timestamp_Collector() as c:
        pass
    assert 0 < c.to_export_summary().total_duration_ms <= c.total_duration_ms() + 0.005


def test_from_json_refuses_what_is_none():
    for data in ([], {"name": "x", "other": 1}, {"hotspots": {}}, {"hotspots": [1]}):
        with pytest.raises(ValueError):
            tc.Schema__Export_Summary.from_json(data)
    entry = tc.Schema__Timestamp_Entry("a", "enter", 1, 2, 3, 4, {"k": "v"})
    assert tc.Schema__Timestamp_Entry.from_json(entry.json()) == entry and entry.obj().name == "a"
    timing = tc.Schema__Method_Timing("a", 1, 2, 3, 4, 5)
    assert tc.Schema__Method_Timing.from_json(timing.json()) == timing and timing.obj().self_ns == 5


def test_deeper_than_python_recurses(tmp_path):
    limit = sys.getrecursionlimit()

    @timestamp("down")
    def down(n):
        return down(n - 1) if n else 0

    with Timestamp_Collector() as c:
        sys.setrecursionlimit(5000 + limit)
        try:
            down(4000)
        finally:
            sys.setrecursionlimit(limit)
    text = c.to_json_file(tmp_path / "deep.json").read_text()
    assert text.count('"children": [') == 4001 and text.endswith("}]}")
    assert len(c.to_flame_graph_stacks()) == 4001
    assert tc.Schema__Export_Full.from_json(c.to_json()).metadata.name == "default"
    check_speedscope(c)


def check_speedscope(collector):
    """What speedscope asks of an evented profile when it opens a file."""
    document = json.loads(collector.to_speedscope_json())
    assert list(document) == ["name", "activeProfileIndex", "shared", "profiles", "$schema"]
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = document["shared"]["frames"]
    assert len({f["name"] for f in frames}) == len(frames)
    for profile in document["profiles"]:
        assert profile["type"] == "evented" and profile["unit"] == "microseconds"
        stack, at = [], profile["startValue"]
        for event in profile["events"]:
            assert set(event) == {"type", "frame", "at"} and at <= event["at"] <= profile["endValue"] and 0 <= event["frame"] < len(frames)
            at = event["at"]
            if event["type"] == "O":
                stack.append(event["frame"])
            else:
                assert event["type"] == "C" and stack.pop() == event["frame"]
        assert not stack
    return document


def test_speedscope(collector, tmp_path):
    document = check_speedscope(collector)
    assert document["name"] == "sample" and len(document["profiles"]) == 1 and len(document["profiles"][0]["events"]) == 14
    path = collector.to_speedscope_file(tmp_path / "x.speedscope.json")
    assert path.read_text() == collector.to_speedscope_json() and path.read_text().startswith('{\n    "name": "sample"')
    assert '"startValue": 0,' in path.read_text()
    assert check_speedscope(Timestamp_Collector())["profiles"][0]["events"] == []


def test_speedscope_of_tasks_and_threads():
    async def task(name):
        with timestamp_block(name):
            await asyncio.sleep(0.001)
            leaf()

    async def tasks():
        await asyncio.gather(*[task(f"task {i}") for i in range(5)])

    with Timestamp_Collector() as c:
        asyncio.run(tasks())
        thread = threading.Thread(target=c.bind(twice))
        thread.start()
        thread.join()
    assert len(check_speedscope(c)["profiles"]) == 2


# ---- budgets ----


def test_budgets(collector):
    collector.assert_budget("leaf", calls=3, avg_ms=1000, max_ms=1000, total_ms=1000, self_ms=1000)
    collector.assert_budget("db.*", total_ms=1000)
    collector.assert_budget(total_ms=60_000)
    collector.assert_budget("never", calls=0)
    for name, limits in (("leaf", {"calls": 2}), ("db.*", {"total_ms": 0}), ("leaf", {"max_ms": 0}), (None, {"total_ms": 0}), ("never", {"total_ms": 5})):
        with pytest.raises(AssertionError, match=re.escape((name or "sample").rstrip("*"))):
            collector.assert_budget(name, **limits)
    for name, limits in (("leaf", {}), (None, {"calls": 1}), (None, {})):
        with pytest.raises(TypeError):
            collector.assert_budget(name, **limits)


# ---- names with arguments ----


def test_args():
    @timestamp_args(name="{kind}.{size:03d}.{flags}")
    def make(kind, size=7, *flags):
        """Makes."""
        return kind

    assert make("a") == "a" and make.__name__ == "make" and make.__doc__ == "Makes."
    with Timestamp_Collector() as c:
        make("a"), make("b", 12), make(kind="c", size=5), make("d", 1, 2)
    assert list(calls(c)) == ["a.007.()", "b.012.()", "c.005.()", "d.001.(2,)"]


def test_args_that_cannot_be_formatted():
    class Bad:
        def __format__(self, how):
            raise RuntimeError("no format")

    class Surrogate:
        def __str__(self):
            return "\udc80"

    @timestamp_args(name="x.{value.nope}")
    def attribute(value):
        return value

    @timestamp_args(name="y.{value:d}")
    def number(value):
        return value

    @timestamp_args(name="z.{value}")
    def plain(value):
        return value

    @timestamp_args(name="{broken")
    def broken():
        return 1

    failed = status()["names_failed"]
    with Timestamp_Collector() as c:
        bad, surrogate = Bad(), Surrogate()
        assert attribute(1) == 1 and number("s") == "s" and plain(bad) is bad and plain(surrogate) is surrogate and broken() == 1
        with pytest.raises(TypeError):
            plain()
    assert calls(c) == {"x.{value.nope}": 1, "y.{value:d}": 1, "z.{value}": 3, "{broken": 1}
    assert status()["names_failed"] == failed + 6


def test_args_are_capped():
    @timestamp_args(name="n.{i}", max_names=3)
    def many(i):
        pass

    capped = status()["names_capped"]
    with Timestamp_Collector() as c:
        for i in range(10):
            many(i % 5)
    assert calls(c) == {"n.0": 2, "n.1": 2, "n.2": 2, "n.{i}": 4}
    assert status()["names_capped"] == capped + 4


def test_args_of_coroutines_and_generators():
    @timestamp_args(name="co.{n}")
    async def co(n):
        return n

    @timestamp_args(name="gen.{n}")
    def gen(n):
        yield from range(n)

    assert inspect.iscoroutinefunction(co) and inspect.isgeneratorfunction(gen)
    assert asyncio.run(co(3)) == 3 and list(gen(2)) == [0, 1]
    with Timestamp_Collector() as c:
        assert asyncio.run(co(3)) == 3 and list(gen(2)) == [0, 1]
    assert calls(c) == {"co.3": 1, "gen.2": 1}


def test_args_are_checked():
    for arguments in ({"name": ""}, {"name": "static"}, {"name": "{x}", "max_names": -1}):
        with pytest.raises(ValueError):
            timestamp_args(**arguments)
    with pytest.raises(TypeError):
        timestamp_args(leaf)


# ---- finding ----


def test_find():
    assert find_timestamp_collector() is None

    def inner():
        return find_timestamp_collector()

    with Timestamp_Collector("any name") as whatever:
        assert find_timestamp_collector() is inner() is whatever
        assert find_timestamp_collector(max_depth=0) is None
        with Timestamp_Collector("nearer") as nearer:
            assert inner() is nearer
        assert inner() is whatever

        def holds():
            _timestamp_collector_ = Timestamp_Collector("held")
            assert inner() is _timestamp_collector_
            _timestamp_collector_ = "not one"
            return inner()

        assert holds() is whatever
    assert inner() is None


def test_found_at_any_depth():
    def down(n):
        return down(n - 1) if n else find_timestamp_collector()

    with Timestamp_Collector() as c:
        assert down(500) is c


# ---- propagation ----


def test_bind_to_a_thread():
    with Timestamp_Collector() as c:
        threads = [threading.Thread(target=c.bind(twice)), threading.Thread(target=twice)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert calls(c) == {"twice": 1, "leaf": 2} and c.complete
    assert c.entries[0].thread_id != threading.get_ident()
    assert c.bind(twice).__name__ == "twice"


def test_executor():
    with Timestamp_Collector() as c, concurrent.futures.ThreadPoolExecutor(3) as pool:
        enclosing = c.executor(pool)
        list(enclosing.map(lambda _: twice(), range(20)))
        enclosing.submit(twice).result()
        pool.submit(twice).result()
    assert calls(c) == {"leaf": 42, "twice": 21} and c.complete
    with pytest.raises(TypeError, match="tscap start -s"):
        c.executor(concurrent.futures.ProcessPoolExecutor(1))


def test_bind_coroutines():
    @timestamp("work")
    async def work(n):
        for _ in range(n):
            leaf()
            await asyncio.sleep(0)
        return n

    async def main():
        with Timestamp_Collector() as c:
            own = asyncio.ensure_future(work(5))
            tasks = [asyncio.ensure_future(c.bind(work(3))), asyncio.ensure_future(c.bind(work)(4))]
            assert await asyncio.gather(*tasks) == [3, 4]
            await own
        return c

    c = asyncio.run(main())
    assert calls(c) == {"leaf": 7, "work": 2} and c.complete


def test_propagate():
    async def work(n):
        for _ in range(n):
            with timestamp_block("block"):
                await asyncio.sleep(0.001)
                leaf()

    async def main():
        with Timestamp_Collector("all", propagate=True) as c:
            task = asyncio.create_task(work(3))
            await asyncio.to_thread(twice)
            thread = threading.Thread(target=twice)
            thread.start()
            thread.join()
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda _: twice(), range(5)))
            await task
        await asyncio.create_task(work(2))
        return c

    start, submit = threading.Thread.start, concurrent.futures.ThreadPoolExecutor.submit
    c = asyncio.run(main())
    assert calls(c) == {"leaf": 3 + 2 * 7, "twice": 7, "block": 3} and c.complete and not c.is_active()
    assert threading.Thread.start is start and concurrent.futures.ThreadPoolExecutor.submit is submit
    assert isinstance(c, Timestamp_Collector) and status()["consumers"] == 0
    check_speedscope(c)


def test_propagation_of_two_tasks_stays_apart():
    async def request(n):
        with Timestamp_Collector(f"request {n}", propagate=True) as c:
            await asyncio.gather(*[asyncio.create_task(asyncio.to_thread(twice)) for _ in range(n)])
        return c

    async def main():
        return await asyncio.gather(*[request(n) for n in range(1, 5)])

    for n, c in enumerate(asyncio.run(main()), 1):
        assert calls(c) == {"leaf": 2 * n, "twice": n} and c.complete


# ---- documentation ----


def test_everything_public_says_what_it_is():
    for name in tc.__all__:
        thing = getattr(tc, name)
        if not (inspect.isclass(thing) or callable(thing)):
            continue
        assert inspect.getdoc(thing), name
        for member, value in vars(thing).items() if inspect.isclass(thing) else ():
            if not member.startswith("_") and callable(value):
                assert inspect.getdoc(value), f"{name}.{member}"
    text = pydoc.plain(pydoc.render_doc(tc))
    for promised in ("assert_budget", "print_report", "to_speedscope_file", "find_timestamp_collector", "timestamp_args"):
        assert promised in text


def test_what_the_slides_promise(capsys):
    @timestamp("data_processing")
    def process_large_dataset(data):
        with timestamp_block("file_io"):
            return sum(data)

    collector = Timestamp_Collector()
    with collector:
        process_large_dataset(range(1000))
    collector.print_report()
    text = capsys.readouterr().out
    assert "data_processing" in text and "file_io" in text
