"""Consumers (_core._Consumer): what each sees is what began while it wanted it, whatever the others do meanwhile."""
import gc
import os
import pathlib
import struct
import subprocess
import sys
import threading

import pytest

import timestamp_capture
from reading import FROM_OUTSIDE
from timestamp_capture import Timestamp_Collector, reset, start, status, stop, timestamp

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import clocks

if not FROM_OUTSIDE:
    pytest.skip("there are no consumers in the recorder in pure Python", allow_module_level=True)

from timestamp_capture import _core

PROGRAM = pathlib.Path(__file__).parent / "programs" / "consumers.py"
CALLS, PRIMITIVE, OPEN, SUSPENDED, RAISED, INCLUSIVE, EXCLUSIVE = range(8, 15)


def leaf():
    pass


def caller(times):
    for _ in range(times):
        leaf()


@timestamp
def decorated(n=0):
    return decorated(n - 1) if n else leaf()


@pytest.fixture(autouse=True)
def nothing_left():
    yield
    stop()
    gc.collect()
    assert status()["consumers"] == 0 and not status()["armed"]
    reset()


@pytest.fixture
def consumer():
    """Makes consumers, which go afterwards."""
    made = []

    def make(*functions, kind="profiler", name="one", everything=False):
        one = _core._Consumer(kind, name, everything=everything)
        for function in functions:
            one.select_site(_core._place(function))
        made.append(one)
        return one

    yield make
    for one in made:
        one.remove()


def seen(consumer, field=CALLS):
    """By the last part of qualified names."""
    return {row[2].rpartition(".")[2]: row[field] for row in consumer.read()["sites"]}


# ---- against an oracle ----


@pytest.mark.parametrize("seed", range(3))
def test_each_sees_what_it_would_see_alone(seed, tmp_path, run_directory):
    """Five consumers, eight threads, generators that go over to others, exceptions, random operations: to the nanosecond."""
    play(seed, 250, clocks.build(tmp_path))


def test_the_same_by_the_real_clocks(run_directory):
    """The hooks' usual path, which a clock that is set never takes: counts, and that times add up."""
    play(100, 250, {})


def play(seed, operations, environment):
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(seed), str(operations)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=600,
    )
    assert (done.returncode, done.stdout) == (0, "agreed\n"), done.stderr[-4000:]


# ---- single rules ----


def test_a_beginning_and_an_end_change_nothing_for_others(consumer):
    first, second = consumer(caller, leaf), consumer(leaf)
    assert first.begin() and not first.begin()
    caller(3)
    assert second.begin()
    caller(4)
    assert second.end() and not second.end()
    caller(5)
    assert seen(first) == {"caller": 3, "leaf": 12}
    assert seen(second) == {"leaf": 4}
    assert first.is_running and not second.is_running


def test_open_calls_are_not_cut_by_others(consumer):
    first, second = consumer(caller, leaf), consumer(leaf)

    def within():
        second.begin()
        leaf()
        second.clear()
        second.end()
        start()
        reset()
        stop()

    outer = consumer(within)
    first.select_site(_core._place(within))
    first.begin(), outer.begin()
    within()
    assert seen(first) == {"within": 1, "leaf": 1} and seen(first, OPEN) == {"within": 0, "leaf": 0}
    assert seen(outer) == {"within": 1} and seen(outer, OPEN) == {"within": 0}
    assert seen(second) == {}


def test_a_call_is_whole_the_consumers_that_it_began_in(consumer):
    one, other = consumer(caller, leaf), consumer(caller, leaf)

    def ends():
        one.end()
        leaf()

    for each in (one, other):
        each.select_site(_core._place(ends))
        each.begin()
    ends()
    assert seen(one) == {"ends": 1} and seen(other) == {"ends": 1, "leaf": 1}
    assert seen(one, INCLUSIVE) == {"ends": seen(other, INCLUSIVE)["ends"]}
    assert seen(one, EXCLUSIVE)["ends"] == seen(one, INCLUSIVE)["ends"], "what it does not see is its caller's"


def test_recursion_is_judged_among_what_is_seen(consumer):
    def f(n):
        return g(n - 1) if n else None

    def g(n):
        return f(n - 1) if n else None

    both, one = consumer(f, g), consumer(f)
    both.begin(), one.begin()
    f(5)
    assert seen(both) == {"f": 3, "g": 3}
    assert seen(both, PRIMITIVE) == {"f": 1, "g": 1}
    assert seen(one, PRIMITIVE) == {"f": 1}
    pairs = {(row[0], row[1]): row[2] for row in one.read(pairs=True)["pairs"]}
    site = _core._place(f)
    assert pairs == {(0, site): 1, (site, site): 2}, "the callers are the nearest that it sees"


def test_a_session_sees_what_is_decorated_and_a_profiler_what_it_selected(consumer):
    one = consumer(leaf)
    start()
    one.begin()
    decorated(2)
    everything = consumer(everything=True)
    everything.begin()
    decorated(1)
    assert seen(one) == {"leaf": 2}
    assert seen(everything) == {"decorated": 2, "leaf": 1}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="events are not disabled there")
def test_many_functions_are_armed_with_one_restart_of_all_events(consumer, monkeypatch):
    restarts, restart = [], sys.monitoring.restart_events
    monkeypatch.setattr(sys.monitoring, "restart_events", lambda: restarts.append(restart()))
    space = {}
    exec("".join(f"def f{i}(): pass\n" for i in range(50)), space)
    functions = [space[f"f{i}"] for i in range(50)]
    rules, many = consumer(kind="yappi"), consumer(name="many")
    rules.select("match=nowhere:*")
    rules.begin()
    for function in functions:
        function()  # nobody wants it: its events are disabled
    many.begin()
    restarts.clear()
    many.select_sites([_core._place(function) for function in functions])
    assert len(restarts) == 1
    for function in functions:
        function()
    assert seen(many) == {function.__name__: 1 for function in functions}


def test_a_reset_is_the_commands_own(consumer):
    one = consumer(leaf)
    one.begin(), start()
    with Timestamp_Collector() as collector:
        decorated()
        reset()
    assert seen(one) == {"leaf": 1}
    assert collector.complete and {name: calls for name, calls, *_ in collector.timings()} == {"decorated": 1}
    one.clear()
    assert seen(one) == {}


def test_what_others_select_is_no_collectors(consumer):
    """Not in its timings, not in its entries' depth, and its time is its caller's."""

    def between(n):
        return decorated() if n else sum(x for x in [1])

    every = consumer(kind="yappi")
    every.select(f"match={__name__}:*")

    def collect():
        with Timestamp_Collector() as collector:
            decorated(1)
            between(1)
            between(0)
        return collector

    alone = collect()
    every.begin()
    beside = collect()
    assert seen(every)["between"] == 2 and seen(every)["decorated"] == 3
    for collector in (alone, beside):
        assert {name: calls for name, calls, *_ in collector.timings()} == {"decorated": 3} and collector.complete
    kept = lambda collector: [(row[0], row[1], row[5]) for row in collector._rows(0, 100)]
    assert kept(alone) == kept(beside)


def test_clear_is_ones_own(consumer):
    one, other = consumer(leaf), consumer(leaf)
    one.begin(), other.begin()
    caller(3)
    one.clear()
    caller(2)
    assert (seen(one), seen(other)) == ({"leaf": 2}, {"leaf": 5})
    assert other.read()["sites"][0][21] == 5, "the percentiles speak of all of its calls"


def test_a_selection_counts_for_what_begins(consumer):
    one = consumer(caller)
    one.begin()
    caller(1)
    one.deselect_site(_core._place(caller))
    one.select_site(_core._place(leaf))
    caller(2)
    one.deselect_site(_core._place(leaf))
    caller(3)
    assert seen(one) == {"caller": 1, "leaf": 2}


def test_several_sites_are_selected_at_once(consumer):
    one, sites = consumer(), [_core._place(caller), _core._place(leaf)]
    one.begin()
    for times in range(1, 101):
        one.select_sites(sites)
        caller(1)
        one.deselect_sites(tuple(sites))
        caller(1)
        assert seen(one) == {"caller": times, "leaf": times}
    with pytest.raises(ValueError, match="no site 1000000"):
        one.select_sites([sites[0], 1_000_000])
    with pytest.raises(TypeError):
        one.select_sites(3)
    caller(1)
    assert seen(one) == {"caller": 100, "leaf": 100}, "nothing was selected"


def test_rules_select_functions_that_nobody_marked(consumer):
    def inner():
        pass

    one = consumer(kind="yappi", name="rules")
    one.select(f"match={__name__}:*inner")
    one.begin()
    inner()
    other = consumer()
    other.select(f"match={__name__}:*inner")
    other.begin()
    inner()
    one.remove()
    inner()
    assert seen(other) == {"inner": 2}


def test_c_functions_of_one_are_not_the_others(consumer):
    one, other = consumer(kind="yappi"), consumer(caller)
    one.select(f"match={__name__}:caller\nmatch=builtins:sum\nbuiltins")
    one.begin(), other.begin()
    caller(0), sum([1])
    other.end()
    sum([1])
    one.end()
    assert seen(one) == {"caller": 1, "sum": 2} and seen(other) == {"caller": 1}


def test_a_function_that_nobody_who_runs_selects_is_not_armed(program):
    """In a program of its own: what an earlier one left open would keep it armed."""
    p = program(
        """
        from timestamp_capture import _core
        def leaf(): pass
        def caller(times):
            for _ in range(times): leaf()
        def seen(consumer):
            return {site[1]: site[8] for site in consumer.read()["sites"]}
        leaf_site, caller_site = _core._place(leaf), _core._place(caller)
        one, other = _core._Consumer("profiler", "one"), _core._Consumer("profiler", "other")
        one.select_site(leaf_site), other.select_site(caller_site)
        one.begin(), other.begin()
        caller(1)
        before = one.read()["records"]
        one.deselect_site(leaf_site)
        one.read()
        for _ in range(100):
            leaf()
        records = one.read()["records"] - before
        one.select_site(leaf_site)
        caller(2)
        checkpoint(records=records, one=seen(one), other=seen(other))
        """
    )
    facts = p.wait()
    assert facts["records"] < 10
    assert (facts["one"], facts["other"]) == ({"leaf": 3}, {"caller": 2})
    p.finish()


def test_what_is_selected_while_others_begin_is_armed_later(consumer):
    """The others' beginning looks at all functions, and does not arm what only this one wants."""
    one, other = consumer(caller), consumer(caller)
    one.begin(), other.begin(), one.end()
    one.select_site(_core._place(leaf))
    other.end(), other.begin()
    one.begin()
    caller(2)
    assert seen(one) == {"caller": 1, "leaf": 2} and seen(other) == {"caller": 1}


def test_blocks_with_sites_of_their_own(consumer):
    place = _core._Place(2, "work", "here.py", 7, 3)
    block, same = _core._Block(place), _core._Block(_core._Place(2, "work", "here.py", 7, 3))
    assert place.site == _core._Place(2, "work", "here.py", 7, 3).site != _core._Place(3, "work", "here.py", 7, 4).site
    one, other = consumer(), consumer(leaf)
    one.select_site(place.site)
    with block:
        pass
    one.begin(), other.begin()
    with block:
        with same:
            leaf()
    with pytest.raises(KeyError):
        with block:
            raise KeyError
    row = one.read()["sites"][0]
    assert row[1:8] == ("work", "work", "", "here.py", 7, 3, "block")
    assert (row[CALLS], row[PRIMITIVE], row[RAISED]) == (3, 2, 1)
    assert seen(other) == {"leaf": 1}


def test_threads_and_pairs_add_up(consumer):
    one = consumer(caller, leaf)
    one.begin()
    threads = [threading.Thread(target=caller, args=(i + 1,), name=f"thread {i}") for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reading = one.read(threads=True, pairs=True)
    by_thread = {row["name"]: {site[2]: site[CALLS] for site in row["sites"]} for row in reading["threads"]}
    assert by_thread == {f"thread {i}": {"caller": 1, "leaf": i + 1} for i in range(4)}
    assert sum(row[2] for row in reading["pairs"]) == sum(row[CALLS] for row in reading["sites"]) == 14
    assert {row["name"]: row["ident"] for row in reading["threads"]} == {thread.name: thread.ident for thread in threads}
    assert reading["complete"] and not any(reading["losses"].values())


# ---- misuse ----


def test_removed_it_says_so(consumer):
    one = consumer(leaf)
    one.begin()
    one.remove()
    one.remove()
    assert one.number == 0 and not one.is_running and not one.end()
    for use in (one.begin, one.clear, one.read, lambda: one.select(""), lambda: one.select_site(1)):
        with pytest.raises(RuntimeError, match="make another one"):
            use()


def test_arguments_are_checked(consumer):
    one = consumer()
    for use, error in (
        (lambda: _core._Consumer("session", "x"), ValueError),
        (lambda: one.select_site(0), ValueError),
        (lambda: one.select_site(1 << 23), ValueError),
        (lambda: one.select_site(-1), OverflowError),
        (lambda: one.select(b"all"), TypeError),
        (lambda: _core._place(len), TypeError),
        (lambda: _core._place(leaf, 3), TypeError),
    ):
        with pytest.raises(error):
            use()


def test_more_than_there_is_room_for_is_an_error_and_nothing_else(consumer):
    made = []
    with pytest.raises(RuntimeError, match="too many"):
        for _ in range(100):
            made.append(consumer(leaf))
    assert len(made) > 20
    made[0].begin()
    leaf()
    assert seen(made[0]) == {"leaf": 1}


def test_one_that_is_collected_goes():
    one = _core._Consumer("profiler", "lost")
    one.select_site(_core._place(leaf))
    one.begin()
    assert status()["consumers"] == 1
    del one
    gc.collect()
    assert status()["consumers"] == 0


def test_read_while_others_remove_and_record(consumer):
    """Each read gives what is so at some moment, or says that it was removed; nothing else happens."""
    over, problems, started = threading.Event(), [], threading.Barrier(5)
    shared = [consumer(caller, leaf)]
    shared[0].begin()

    def reads():
        started.wait()
        while not over.is_set():
            try:
                rows = seen(shared[0])
                if rows and rows["leaf"] < rows["caller"] * 10 - 40:
                    problems.append(rows)
            except RuntimeError as error:
                if "another one" not in str(error):
                    problems.append(error)

    def works():
        started.wait()
        while not over.is_set():
            caller(10)

    threads = [threading.Thread(target=target) for target in (reads, reads, works, works)]
    for thread in threads:
        thread.start()
    started.wait()
    for _ in range(60):
        old = shared[0]
        replacement = consumer(caller, leaf)
        replacement.begin()
        shared[0] = replacement
        old.remove()
    over.set()
    for thread in threads:
        thread.join()
    assert not problems


def test_in_a_forked_child_it_is_the_parents(program):
    child = program(
        """
        import os
        from timestamp_capture import _core, status
        def f(): pass
        one = _core._Consumer("profiler", "parent's")
        one.select_site(_core._place(f))
        one.begin()
        f()
        out, into = os.pipe()
        pid = os.fork()
        if not pid:
            facts = [one.is_running, one.number, one.end(), status()["consumers"]]
            try:
                one.begin()
            except RuntimeError as error:
                facts.append(str(error))
            own = _core._Consumer("profiler", "child's")
            own.select_site(_core._place(f))
            own.begin()
            f(), f()
            facts.append([row[8] for row in own.read()["sites"]])
            one.remove()
            os.write(into, repr(facts).encode())
            os._exit(0)
        os.waitpid(pid, 0)
        f()
        checkpoint(child=os.read(out, 10000).decode(), parent=[row[8] for row in one.read()["sites"]])
        """
    )
    facts = child.wait()
    running, number, ended, consumers, problem, calls = eval(facts["child"])
    assert (running, number, ended, consumers, calls) == (False, 0, False, 0, [2]) and "make another one" in problem
    assert facts["parent"] == [2]
    assert child.end()[0] == 0


def test_a_kept_file_has_what_was_counted(program, run_directory):
    child = program(
        """
        from timestamp_capture import _core, status
        def f(): pass
        one = _core._Consumer("profiler", "kept to the end")
        one.select_site(_core._place(f))
        one.begin()
        f()
        gone = _core._Consumer("profiler", "collected")
        gone.begin()
        del gone
        checkpoint(segment=status()["segment"])
        """,
        environment={"TSCAP_KEEP": "1"},
    )
    segment = child.wait()["segment"]
    child.go()
    assert child.end()[0] == 0
    names = [name for number, name in consumers_in(segment) if number]
    assert names == ["kept to the end"]


def consumers_in(segment):
    """(number, name) of each slot of the roster's table that counts: shared/segment.h."""
    image = pathlib.Path(segment).read_bytes()
    pages, turn = struct.unpack_from("=II", image, 3408)
    table = (pages + (turn & 1) * 4) * 4096 + 2112
    for slot in range(64):
        number, name = struct.unpack_from("=I36x64s", image, table + slot * 192)
        yield number, name.partition(b"\0")[0].decode()


def test_disabled_every_method_says_why(program):
    child = program(
        """
        from timestamp_capture import _core
        def f(): pass
        problems = []
        for use in (lambda: _core._Consumer("profiler", "x"), lambda: _core._place(f)):
            try:
                use()
            except RuntimeError as error:
                problems.append(str(error))
        place = _core._Place(0, "x", "", 0, 1)
        with _core._Block(place) as nothing:
            pass
        checkpoint(problems=problems, site=place.site)
        """,
        environment={"TSCAP_DISABLE": "1"},
    )
    facts = child.wait()
    assert len(facts["problems"]) == 2 and all("TSCAP_DISABLE" in problem for problem in facts["problems"]) and facts["site"] == 0
    assert child.end()[0] == 0


# ---- what it takes ----


def test_beginnings_and_ends_add_nothing(consumer):
    """10,000 pairs: no node, no page but those of histograms of other durations."""
    one, other = consumer(caller, leaf), consumer(leaf)
    one.begin()

    def pair():
        other.begin()
        caller(1)
        other.end()
        caller(1)

    for _ in range(50):
        pair()
    before = os.stat(status()["segment"]).st_blocks
    for _ in range(10_000):
        pair()
    assert seen(one) == {"caller": 20_100, "leaf": 20_100} and seen(other) == {"leaf": 10_050}
    assert os.stat(status()["segment"]).st_blocks - before <= 40 * 8, "40 pages"


def test_clears_leave_memory_bounded(consumer):
    """An hour of a clear a second; HACKING.md states the bound."""
    one, other = consumer(caller, leaf), consumer(leaf)
    one.begin(), other.begin()
    caller(10)
    most, before = 0, os.stat(status()["segment"]).st_blocks
    for i in range(3_600):
        one.clear()
        caller(2)
        if i % 100 == 0:
            most = max(most, os.stat(status()["segment"]).st_blocks - before)
    assert seen(one) == {"caller": 1, "leaf": 2} and seen(other) == {"leaf": 7_210}
    assert most <= 2 * 64 * 8, "64 pages for each of the two threads' sides at most"
