"""`timestamp_capture.stichotrope`: tracks, blocks, switches, results, threads."""
import gc
import json
import os
import pickle
import subprocess
import sys
import threading
import time
import warnings
import weakref

import pytest

import timestamp_capture
from reading import tscap
from timestamp_capture.stichotrope import Profiler, ProfileBlock, ProfilerResults, ProfileTrack, is_global_enabled, set_global_enabled

pytestmark = pytest.mark.usefixtures("recorder")


@pytest.fixture
def profiler():
    yield Profiler("tests")
    set_global_enabled(True)


def hits(profiler):
    """{(track, name): hits} of all that have some."""
    return hits_of(profiler.get_results())


def hits_of(results):
    return {(track.track_idx, block.name): block.hit_count for track in results.tracks for block in track.blocks if block.hit_count}


def in_thread(function, *args):
    thread = threading.Thread(target=function, args=args)
    thread.start()
    thread.join()


# ---- functions and blocks ----


def test_functions_and_blocks(profiler):
    @profiler.track(0, "named")
    def one(a, b=2):
        with profiler.block(1, "inside"):
            return a + b

    @profiler.track(0)
    def two():
        return one(1)

    assert (one(1), one(1, b=5), two()) == (3, 6, 3)
    assert hits(profiler) == {(0, "named"): 3, (0, "two"): 1, (1, "inside"): 3}
    block = profiler.get_results().tracks[0].blocks[0]
    assert (block.name, block.file, block.line) == ("named", __file__, test_functions_and_blocks.__code__.co_firstlineno + 1)
    inside = profiler.get_results().tracks[1].blocks[0]
    assert inside.file == __file__ and block.line < inside.line < block.line + 5


def test_sums_and_extremes(profiler):
    with profiler.block(0, "outer"):
        for seconds in (0.002, 0.004):
            with profiler.block(1, "inner"):
                time.sleep(seconds)
    results = profiler.get_results()
    outer, inner = results.tracks[0].blocks[0], results.tracks[1].blocks[0]
    assert 2_000_000 <= inner.min_time_ns < inner.max_time_ns and inner.max_time_ns >= 4_000_000
    assert abs(inner.total_time_ns - inner.min_time_ns - inner.max_time_ns) <= 2 and inner.total_time_ns == inner.self_time_ns  # ticks in ns
    assert outer.min_time_ns == outer.max_time_ns == outer.total_time_ns
    assert abs(outer.self_time_ns - (outer.total_time_ns - inner.total_time_ns)) <= 2
    assert inner.avg_time_ns == inner.total_time_ns / 2
    assert inner.min_time_ns <= inner.p50_time_ns <= inner.p95_time_ns <= inner.p99_time_ns <= inner.max_time_ns
    expected = (inner.max_time_ns - inner.min_time_ns) / 2**0.5
    assert inner.std_time_ns == pytest.approx(expected, rel=0.25, abs=inner.max_time_ns / 16)  # as near as a histogram's buckets are
    assert inner.cpu_time_ns < inner.total_time_ns


def test_cpu_time(profiler):
    with profiler.block(0, "works"):
        end = time.thread_time_ns() + 20_000_000
        while time.thread_time_ns() < end:
            pass
    with profiler.block(0, "sleeps"):
        time.sleep(0.03)
    works, sleeps = profiler.get_results().tracks[0].blocks
    assert works.cpu_time_ns >= 19_000_000 and sleeps.cpu_time_ns <= sleeps.total_time_ns - 25_000_000


def test_recursion_is_the_outermost(profiler):
    @profiler.track(0)
    def recursive(n):
        if n:
            recursive(n - 1)
        else:
            time.sleep(0.005)

    begin = time.perf_counter_ns()
    recursive(9)
    took = time.perf_counter_ns() - begin
    block = profiler.get_results().tracks[0].blocks[0]
    assert block.hit_count == 10
    assert 5_000_000 <= block.self_time_ns == block.total_time_ns == block.max_time_ns <= took


def test_a_function_never_called_has_a_row(profiler):
    @profiler.track(3, "idle")
    def idle():
        pass

    block = profiler.get_results().tracks[3].blocks[0]
    assert (block.hit_count, block.total_time_ns, block.min_time_ns, block.max_time_ns, block.avg_time_ns) == (0, 0, 2**63 - 1, 0, 0.0)


def test_blocks_are_numbered_by_track(profiler):
    for track in (0, 1):
        for name in ("a", "b"):
            with profiler.block(track, name):
                pass
    with profiler.block(0, "c"):
        pass
    results = profiler.get_results()
    assert {i: list(track.blocks.keys()) for i, track in results.tracks.items()} == {0: [0, 1, 2], 1: [0, 1]}
    with profiler.block(1, "d"):
        pass
    assert [profiler.get_results().tracks[1].blocks[i].name for i in range(3)] == ["a", "b", "d"]


def test_results_are_a_copy(profiler):
    with profiler.block(0, "a"):
        pass
    before = profiler.get_results()
    with profiler.block(0, "a"):
        pass
    assert (before.total_hits, profiler.get_results().total_hits) == (1, 2)


def test_results_while_a_block_is_open(profiler):
    with profiler.block(0, "a"):
        pass
    with profiler.block(0, "a"):
        assert hits(profiler) == {(0, "a"): 1}
    assert hits(profiler) == {(0, "a"): 2}


def test_one_place_has_two_profilers(profiler):
    other = Profiler("other")

    def run(one, name):
        with one.block(0, name):
            pass

    for one in (profiler, other):
        one.track(0, "same")(lambda: None)()
        run(one, "block")
        run(one, "block")
    assert hits(profiler) == hits(other) == {(0, "same"): 1, (0, "block"): 2}


def test_a_function_of_two_profilers(profiler):
    other = Profiler("other")

    @other.track(5, "theirs")
    @profiler.track(0, "ours")
    def function():
        pass

    function()
    other.stop()
    function()
    assert (hits(profiler), hits(other)) == ({(0, "ours"): 2}, {(5, "theirs"): 1})


def test_tracked_twice_counts_once(profiler):
    other = Profiler("other")

    @profiler.track(0, "f")
    @other.track(0, "f")
    @profiler.track(0, "f")
    def f():
        pass

    f()
    assert hits(profiler) == hits(other) == {(0, "f"): 1}
    assert len(profiler.get_results().tracks[0].blocks) == 1


def test_closures_of_one_definition_are_apart(profiler):
    def make(i):
        @profiler.track(0, f"f{i}")
        def f():
            return i

        return f

    functions = [make(i) for i in range(5)]
    for i, function in enumerate(functions):
        for _ in range(i):
            assert function() == i
    assert hits(profiler) == {(0, f"f{i}"): i for i in range(1, 5)}


# ---- switches ----


def tracked(profiler):
    @profiler.track(0, "f")
    def f():
        pass

    def block():
        with profiler.block(0, "b"):
            pass

    return f, block


@pytest.mark.parametrize("switch", ["instance", "track", "global"])
def test_switches_act_on_all_threads_at_once(profiler, switch):
    off, on = {
        "instance": (profiler.stop, profiler.start),
        "track": (lambda: profiler.disable_track(0), lambda: profiler.enable_track(0)),
        "global": (lambda: set_global_enabled(False), lambda: set_global_enabled(True)),
    }[switch]
    before = tracked(profiler)
    off()
    after = tracked(profiler)
    turn = threading.Barrier(2)

    def worker():
        for _ in range(3):
            turn.wait(60)
            for function in before + after:
                function()
            turn.wait(60)

    thread = threading.Thread(target=worker)
    thread.start()
    counts = []
    for now in (None, on, off):
        if now:
            now()
        turn.wait(60)
        turn.wait(60)
        counts.append(profiler.get_results().total_hits)
    thread.join()
    assert counts == [0, 4, 4]


def test_what_the_switches_say(profiler):
    assert profiler.is_started() and is_global_enabled() and profiler.is_track_enabled(7)
    profiler.stop(), profiler.stop()
    assert not profiler.is_started()
    profiler.start(), profiler.start()
    profiler.set_track_enabled(7, False)
    assert profiler.is_started() and not profiler.is_track_enabled(7) and profiler.is_track_enabled(6)
    set_global_enabled(False)
    assert not is_global_enabled() and profiler.is_started()
    set_global_enabled(True)
    with profiler as same:
        assert same is profiler and profiler.is_started()
    assert not profiler.is_started()


def test_state_at_entry_counts(profiler):
    f, _ = tracked(profiler)

    @profiler.track(0, "stops")
    def stops():
        profiler.stop()
        f()

    @profiler.track(0, "starts")
    def starts():
        profiler.start()
        f()

    stops()
    with profiler.block(1, "begun while off"):
        starts()
    with profiler.block(1, "begun while on"):
        profiler.stop()
    assert hits(profiler) == {(0, "stops"): 1, (0, "f"): 1, (1, "begun while on"): 1}


def test_a_track_that_is_off_says_so(profiler):
    f, _ = tracked(profiler)
    f()
    profiler.disable_track(0)
    f()
    track = profiler.get_results().tracks[0]
    assert (track.enabled, track.blocks[0].hit_count) == (False, 1)


def test_what_is_decorated_while_all_is_off_shows_once_it_is_hit(profiler):
    set_global_enabled(False)
    f, _ = tracked(profiler)
    f()
    assert len(profiler.get_results().tracks) == 0
    set_global_enabled(True)
    f()
    assert hits(profiler) == {(0, "f"): 1}


# ---- tracks ----


def test_names_of_tracks(profiler):
    def worker():
        with profiler.block(0, "a"):
            pass

    in_thread(worker)
    profiler.set_track_name(0, "after")
    profiler.set_track_name(1, "before")
    with profiler.block(1, "b"):
        pass
    results = profiler.get_results()
    assert [track.track_name for track in results.tracks] == ["after", "before"]
    profiler.clear()
    assert profiler.get_results().tracks[0].track_name == "after"


def test_tracks_may_have_names_for_ids():
    profiler = Profiler("named")
    with profiler.block("db", "query"):
        pass
    profiler.repeat(3, lambda: None, track_idx="loop", name="nothing")
    assert hits(profiler) == {("db", "query"): 1, ("loop", "nothing"): 3}


WRONG = {
    "negative": (ValueError, "must not be negative.*number tracks from 0", lambda p: p.block(-1, "x")),
    "negative, tracked": (ValueError, "must not be negative", lambda p: p.track(-1, "x")),
    "negative, switched": (ValueError, "must not be negative", lambda p: p.set_track_enabled(-1, False)),
    "no id": (TypeError, "must be an int or a str", lambda p: p.block(None, "x")),
    "a bool": (TypeError, "must be an int or a str", lambda p: p.track(True)),
    "empty id": (ValueError, "must not be empty", lambda p: p.block("", "x")),
    "empty name": (ValueError, "a block's name must not be empty", lambda p: p.block("t", "")),
    "empty name, tracked": (ValueError, "a block's name must not be empty", lambda p: p.track("t", "")),
    "no name": (TypeError, "a block's name must be a str", lambda p: p.block("t", None)),
    "empty name of a track": (ValueError, "a track's name must not be empty", lambda p: p.set_track_name("t", "")),
    "negative bytes": (ValueError, "bytes must not be negative", lambda p: p.block("t", "x", bytes=-1)),
    "no number of bytes": (TypeError, "bytes must be an int", lambda p: p.block("t", "x", bytes="1")),
    "no iterations": (ValueError, "iterations must be 1 or more", lambda p: p.repeat(0, int, track_idx="t")),
    "nothing to repeat": (TypeError, "calls a function", lambda p: p.repeat(1, 5, track_idx="t")),
    "no function": (TypeError, "decorate a function, or use block", lambda p: p.track("t")(5)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_refused_changes_nothing(wrong):
    profiler = Profiler("wrong")
    error, says, call = WRONG[wrong]
    with pytest.raises(error, match=says):
        call(profiler)
    assert len(profiler.get_results().tracks) == 0
    with profiler.block(0, "numbers are still free to be used"):
        pass
    assert profiler.get_results().total_hits == 1


def test_numbers_and_names_do_not_mix(profiler):
    decorator = profiler.track("db", "f")
    profiler.disable_track(1)
    for call in (lambda: profiler.block("db", "x"), lambda: profiler.set_track_name("db", "x"), lambda: decorator(lambda: None)):
        with pytest.raises(ValueError, match="'db' is a name, but this profiler's tracks have numbers: use one kind"):
            call()
    with pytest.raises(ValueError, match="track 1 is a number, but this profiler's tracks have names"):
        named = Profiler("named")
        named.enable_track("a")
        named.is_track_enabled(1)


# ---- threads ----


def test_eight_threads_lose_nothing(profiler, recorder):
    calls = 160_000 if recorder == "compiled" else 10_000  # the other one is slow

    @profiler.track(0, "f")
    def f():
        pass

    @profiler.track(0, "worker")
    def worker(times):
        for _ in range(times):
            f()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=worker, args=(calls,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert hits(profiler) == {(0, "f"): 8 * calls, (0, "worker"): 8}


def test_results_while_threads_register_blocks(profiler):
    stop = threading.Event()

    def worker(number):
        i = 0
        while not stop.is_set():
            with profiler.block(number, f"block {i % 40}"):
                i += 1
        counts[number] = i

    counts = {}
    threads = [threading.Thread(target=worker, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    seen = 0
    for _ in range(10):
        now = profiler.get_results().total_hits
        assert now >= seen
        seen = now
        profiler.get_all_thread_data()
    stop.set()
    for thread in threads:
        thread.join()
    assert {track.track_idx: track.total_hits for track in profiler.get_results().tracks} == counts


def test_a_kept_block_serves_many_threads(profiler):
    """And itself, within itself."""
    block = profiler.block(0, "kept")

    def worker():
        for _ in range(2000):
            with block:
                with block:
                    pass

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hits(profiler) == {(0, "kept"): 16_000}
    kept = profiler.get_results().tracks[0].blocks[0]
    assert kept.total_time_ns == kept.self_time_ns > 0


def test_data_by_thread(profiler):
    f, block = tracked(profiler)
    idents = {}

    def worker(times):
        idents[threading.get_ident()] = times
        for _ in range(times):
            block()
        turn.wait(60)

    turn = threading.Barrier(4)
    threads = [threading.Thread(target=worker, args=(times,)) for times in (1, 2, 3)]
    for thread in threads:
        thread.start()
    turn.wait(60)
    for thread in threads:
        thread.join()
    f()
    data = profiler.get_all_thread_data()
    assert all(isinstance(results, ProfilerResults) for results in data.values())
    assert {ident: results.total_hits for ident, results in data.items()} == {**idents, threading.get_ident(): 1}


def test_idents_that_are_used_again(profiler):
    _, block = tracked(profiler)
    idents = []

    def worker(times):
        idents.append(threading.get_ident())
        for _ in range(times):
            block()

    while len(idents) < 10 or len(set(idents)) == len(idents):
        in_thread(worker, len(idents) + 1)
    expected, last = {}, {ident: i for i, ident in enumerate(idents)}
    for i, ident in enumerate(idents):
        key = ident if last[ident] == i else (ident, idents[: i + 1].count(ident))
        expected[key] = i + 1
    assert {key: results.total_hits for key, results in profiler.get_all_thread_data().items()} == expected
    assert hits(profiler) == {(0, "b"): sum(range(1, len(idents) + 1))}
    assert any(isinstance(key, tuple) for key in expected)


def test_many_threads_are_summed_up(profiler):
    _, block = tracked(profiler)
    for _ in range(400):
        in_thread(block)
    data = profiler.get_all_thread_data()
    assert 256 <= len(data) <= 300 and data[0].total_hits >= 100  # when lanes are merged depends on others' threads, too
    assert sum(results.total_hits for results in data.values()) == profiler.get_results().total_hits == 400


# ---- clear ----


def test_clear(profiler):
    f, block = tracked(profiler)
    f(), block()
    profiler.clear()
    results = profiler.get_results()
    assert results.total_hits == 0 and [block.name for block in results.tracks[0].blocks] == ["f"]
    f(), block(), block()
    assert hits(profiler) == {(0, "f"): 1, (0, "b"): 2}


def test_clear_while_threads_live(profiler):
    f, block = tracked(profiler)
    turn = threading.Barrier(2)

    def worker():
        for _ in range(2):
            f(), block()
            turn.wait(60)
            turn.wait(60)

    thread = threading.Thread(target=worker)
    thread.start()
    turn.wait(60)
    profiler.clear()
    assert hits(profiler) == {}
    turn.wait(60)
    turn.wait(60)
    assert hits(profiler) == {(0, "f"): 1, (0, "b"): 1}
    turn.wait(60)
    thread.join()


def test_what_is_open_at_a_clear_is_not_counted(profiler):
    kept = profiler.block(0, "kept")
    with kept:
        profiler.clear()
    assert hits(profiler) == {}
    with kept:
        pass
    assert hits(profiler) == {(0, "kept"): 1}


def test_profilers_do_not_clear_each_other(profiler):
    other = Profiler("other")

    @other.track(0)
    @profiler.track(0)
    def f():
        pass

    f()
    with profiler.block(1, "open"), other.block(1, "open"):
        other.clear()
        f()
    assert hits(profiler) == {(0, "f"): 2, (1, "open"): 1}
    assert hits(other) == {(0, "f"): 1}


def test_nobodys_zero_is_anothers(profiler, recorder):
    """Those of two profilers, of the session and of a collector, each over the same calls."""
    if recorder != "compiled":
        pytest.skip("there is no session beside it")
    other, collector = Profiler("other"), timestamp_capture.Timestamp_Collector("collector")

    @timestamp_capture.timestamp
    @other.track(0)
    @profiler.track(0)
    def f():
        pass

    def seen():
        sites = json.loads(tscap("dump", os.getpid(), "--json", "--consumer", "session").stdout)["sites"]
        session = sum(site["calls"] for site in sites if site["name"] == "f")
        return hits(profiler).get((0, "f"), 0), hits(other).get((0, "f"), 0), session, collector.method_count()

    timestamp_capture.reset()
    timestamp_capture.start()
    try:
        with collector:
            f()
            assert seen() == (1, 1, 1, 1)
            profiler.clear()
            f()
            assert seen() == (1, 2, 2, 1)
            timestamp_capture.reset()
            f()
            assert seen()[:3] == (2, 3, 1)
            other.clear()
            f()
            assert seen()[:3] == (3, 1, 2)
        assert collector.method_count() == 1 and collector.timings()[0][1] == 4
    finally:
        timestamp_capture.stop()
        timestamp_capture.reset()


# ---- when it cannot be recorded ----


def test_a_recorder_that_is_gone_is_told_once(profiler, recorder):
    """The program goes on, and so do other profilers."""
    if recorder != "compiled":
        pytest.skip("nobody can take its recorder away")
    f, block = tracked(profiler)
    other = Profiler("other")
    f(), block()
    profiler._recorder._consumer.remove()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        profiler.stop(), profiler.start(), f(), block(), profiler.disable_track(0), profiler.clear()
        assert hits(profiler) == {} and profiler.get_all_thread_data() == {}
        with profiler.block(1, "new"), other.block(1, "new"):
            pass
    assert [warning.category for warning in told] == [RuntimeWarning]
    assert "'tests' records nothing from here on" in str(told[0].message)
    assert hits(other) == {(1, "new"): 1}


# ---- functions that change ----


@pytest.mark.parametrize("change", ["defaults", "keyword defaults", "nothing"])
def test_a_function_that_gets_another_version(profiler, change):
    """From 3.11 on calls that are made often hold on to the version of the function that they call, and a change gives it another.
    What is switched on and off meanwhile is right for each call."""

    @profiler.track(0, "f")
    def f(a, b=1, *, c=2):
        return a + b + c

    changed = getattr(f, "__wrapped__", f)

    def call(times, **arguments):
        return [f(1, **arguments) for _ in range(times)]

    assert set(call(50)) == {4}
    profiler.stop()
    assert set(call(50)) == {4}
    if change == "defaults":
        changed.__defaults__ = (10,)
    elif change == "keyword defaults":
        changed.__kwdefaults__ = {"c": 11}
    expected = 4 if change == "nothing" else 13
    assert set(call(50)) == {expected}
    profiler.start()
    assert set(call(50)) == {expected}
    assert hits(profiler) == {(0, "f"): 100}
    profiler.stop()
    assert set(call(50, b=5)) == {{"keyword defaults": 17}.get(change, 8)}
    profiler.start()
    call(7)
    assert hits(profiler) == {(0, "f"): 107}


# ---- objects ----


def test_objects_of_results():
    block = ProfileBlock(name="b", file="f.py", line=10)
    for ns in (1000, 2000, 1500):
        block.record_time(ns)
    assert (block.hit_count, block.total_time_ns, block.min_time_ns, block.max_time_ns, block.avg_time_ns) == (3, 4500, 1000, 2000, 1500.0)
    assert repr(block) == (
        "ProfileBlock(name='b', file='f.py', line=10, hit_count=3, total_time_ns=4500, avg_time_ns=1500, min_time_ns=1000, max_time_ns=2000)"
    )
    track = ProfileTrack(track_idx=4, track_name="T")
    added = track.add_block(0, "c", "g.py", 1)
    track.blocks[1] = block
    assert track.get_block(1) is block and track.get_block(2) is None and track.total_time_ns == 4500 and track.total_hits == 3
    assert list(track.blocks) == [added, block] and list(track.blocks.keys()) == [0, 1] and block in track.blocks and 1 in track.blocks
    assert 2 not in track.blocks and ProfileBlock("x", "", 0) not in track.blocks
    assert repr(track) == "ProfileTrack(track_idx=4 ('T'), enabled=True, blocks=2, total_time_ns=4500, total_hits=3)"
    results = ProfilerResults("P", {4: track})
    assert results.get_track(4) is track and results.get_track(0) is None and [one for one in results.tracks] == [track]
    assert repr(results) == "ProfilerResults(profiler_name='P', tracks=1, total_time_ns=4500, total_hits=3)"
    assert pickle.loads(pickle.dumps(results)) == results == ProfilerResults("P", dict(results.tracks))
    assert {**results.tracks} == {4: track}


def test_the_repr_of_a_profiler(profiler):
    with profiler.block(0, "b"):
        pass
    in_thread(tracked(profiler)[1])
    assert repr(profiler) == "Profiler(name='tests', tracks=1, threads=2, started=True)"


def test_bytes(profiler):
    for count in (1000, 0, 3000):
        with profiler.block(0, "copy", bytes=count):
            pass
    profiler.stop()
    with profiler.block(0, "copy", bytes=5):
        pass
    block = profiler.get_results().tracks[0].blocks[0]
    assert (block.hit_count, block.total_bytes) == (3, 4000)
    assert block.mb_per_s == pytest.approx(4000 / 1e6 / (block.total_time_ns / 1e9))
    assert ProfileBlock("none", "", 0).mb_per_s == 0.0
    profiler.clear()
    profiler.start()
    with profiler.block(0, "copy", bytes=7):
        pass
    assert profiler.get_results().tracks[0].blocks[0].total_bytes == 7


def test_a_profiler_that_nobody_has_goes():
    profiler = Profiler("short")
    with profiler.block(0, "b"):
        pass
    gone = weakref.ref(profiler)
    del profiler
    gc.collect()
    assert gone() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_counts_for_itself(profiler):
    f, block = tracked(profiler)
    f()
    with profiler.block(1, "open"):
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                f(), f(), block()
                in_thread(f)
                os.write(write, repr(hits(profiler)).encode())
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        os.close(write)
        with os.fdopen(read) as said:
            assert said.read() == repr({(0, "f"): 3, (0, "b"): 1})
    assert hits(profiler) == {(0, "f"): 1, (1, "open"): 1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_fork_while_others_switch(profiler):
    """The child takes no lock that a thread of its parent held."""
    stop = threading.Event()

    def switch():
        while not stop.is_set():
            set_global_enabled(False)
            set_global_enabled(True)
            profiler.set_track_enabled(0, True)
            profiler.get_results()

    thread = threading.Thread(target=switch)
    thread.start()
    try:
        for _ in range(30):
            pid = os.fork()
            if not pid:
                set_global_enabled(True)
                with profiler.block(0, "child"):
                    pass
                os._exit(0 if hits(profiler) == {(0, "child"): 1} else 1)
            assert os.waitpid(pid, 0)[1] == 0
    finally:
        stop.set()
        thread.join()


def test_disabled_by_the_environment(recorder):
    program = (
        "from timestamp_capture.stichotrope import Profiler\n"
        "p = Profiler('x')\n"
        "f = p.track(0)(lambda: 5)\n"
        "assert f() == 5\n"
        "with p.block(0, 'b'): pass\n"
        "p.clear(); p.stop(); p.start()\n"
        "print(p.get_results().total_hits, len(p.get_all_thread_data()))\n"
    )
    environment = {**os.environ, "TSCAP_DISABLE": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("0 0\n", "", 0)
