"""Exact counts, seen from outside: against an oracle, and by the million."""
import collections
import json
import os
import threading

import pytest

import ring
from forest import Oracle, count_events, make_forest, seeds

HERE = os.path.dirname(os.path.abspath(__file__))

# ---- random call forests ----


def run_forests(program, tmp_path, forests, **environment):
    (tmp_path / "forests.json").write_text(json.dumps(forests))
    with open(os.path.join(HERE, "programs", "run_forest.py")) as file:
        p = program(file.read(), arguments=[str(tmp_path / "forests.json")], environment=environment)
    p.wait()
    profiles = [p.dump()]  # its threads live
    order = ring.lanes(p.pid) if environment.get("TSCAP_RING") == WHOLE else None
    for _ in ("they have ended", "recording has, too"):
        p.go()
        p.wait()
        profiles.append(p.dump())
    p.finish()
    oracle = Oracle(forests)
    count_events(oracle.events())
    if order:
        assert order == {f"forest {i}": events for i, events in enumerate(oracle.order)}
    return profiles, oracle


WHOLE = str(1 << 17)  # a ring that has room for all that a forest does


def compare(profile, oracle, paths=True):
    assert profile.counts("calls", "primitive_calls", "raised") == oracle.counts()
    assert profile.pairs() == oracle.pair_counts()
    if paths:
        assert profile.paths() == dict(oracle.paths)
    assert not any(site["open"] for site in profile.sites.values())


@pytest.mark.parametrize("seed", seeds(8))
def test_forests(program, tmp_path, seed):
    forests = [make_forest(10 * seed + i, 4000) for i in range(3)]
    profiles, oracle = run_forests(program, tmp_path, forests)
    for profile in profiles:
        compare(profile.check(), oracle)


@pytest.mark.parametrize("seed", seeds(4))
def test_forests_and_their_order(program, tmp_path, seed):
    """Each beginning, end, suspension and resumption in its place: so each has the caller it must have."""
    forests = [make_forest(1000 + 10 * seed + i, 4000) for i in range(3)]
    profiles, oracle = run_forests(program, tmp_path, forests, TSCAP_RING=WHOLE)
    for profile in profiles:
        compare(profile.check(), oracle)


def test_forests_in_the_smallest_ring(program, tmp_path):
    """Nearly everything has been folded by the threads themselves."""
    forests = [make_forest(100 + i, 8000) for i in range(3)]
    profiles, oracle = run_forests(program, tmp_path, forests, TSCAP_RING="1")
    for profile in profiles:
        compare(profile.check(), oracle)


def test_forests_in_the_largest_ring(program, tmp_path):
    """Nothing has been folded: the reader does it."""
    forests = [make_forest(200 + i, 8000) for i in range(3)]
    profiles, oracle = run_forests(program, tmp_path, forests, TSCAP_RING=str(1 << 20))
    for profile in profiles:
        compare(profile.check(), oracle)


@pytest.mark.parametrize("nodes", [1, 50])
@pytest.mark.parametrize("slots", ["1", "8192"])
def test_forests_with_paths_given_up(program, tmp_path, nodes, slots):
    """Functions and pairs stay exact when the tree has no room for more paths."""
    forests = [make_forest(300 + i, 4000) for i in range(3)]
    profiles, oracle = run_forests(program, tmp_path, forests, TSCAP_NODES=str(nodes), TSCAP_RING=slots)
    for profile in profiles:
        assert profile["lost"] == 0 and profile["losses"]["unpathed"] > 0
        profile.check_sums()
        compare(profile, oracle, paths=False)


# ---- many calls ----

MANY = """
    import sys, threading, timestamp_capture
    from timestamp_capture import timestamp

    @timestamp
    def leaf(): pass

    @timestamp
    def parent(n):
        for _ in range(n): leaf()

    def work(calls):
        for _ in range(calls // 1000): parent(999)

    calls = int(sys.argv[1])
    timestamp_capture.start()
    threads = [threading.Thread(target=work, args=(calls // 4,)) for _ in range(4)]
    checkpoint()
    for t in threads: t.start()
    for t in threads: t.join()
    checkpoint()
"""
CALLS = int(os.environ.get("TSCAP_CALLS", 10_000_000))


def check_many(p):
    profile = p.dump().check()
    assert profile["lost"] == 0
    assert sum(site["calls"] for site in profile.sites.values()) == CALLS
    assert profile.counts() == {"leaf": CALLS // 1000 * 999, "parent": CALLS // 1000}
    assert profile.pairs() == {
        (None, "parent"): (CALLS // 1000, CALLS // 1000),
        ("parent", "leaf"): (CALLS // 1000 * 999, CALLS // 1000 * 999),
    }


def test_many_calls_without_a_reader(program):
    p = program(MANY, arguments=[str(CALLS)])
    p.wait()
    p.go()
    p.wait()
    check_many(p)
    p.finish()


def test_many_calls_while_dump_runs_in_a_loop(program):
    """Whether a dump falls into the run is up to the scheduler: five runs, if need be."""
    assert any(is_seen_while_it_runs(program) for _ in range(5)), "none was taken while it ran"


def is_seen_while_it_runs(program):
    p = program(MANY, arguments=[str(CALLS)])
    p.wait()
    over, seen = threading.Event(), []

    def read():
        while not over.is_set():
            seen.append(p.dump(check=False))

    reader = threading.Thread(target=read)
    reader.start()
    p.go()
    p.wait()
    over.set()
    reader.join()
    check_many(p)
    p.finish()
    assert all(profile["lost"] == 0 for profile in seen)
    whole = [profile for profile in seen if profile["complete"]]
    leaves = [profile.calls("leaf") for profile in whole]
    assert leaves == sorted(leaves), "counts only grow"
    for profile in whole:
        profile.check_sums()
        # each thread is seen at an instant: its parents have made at most 999 calls each
        assert 999 * (profile.calls("parent") - 4) <= profile.calls("leaf") <= 999 * profile.calls("parent")
    return any(0 < calls < CALLS // 1000 * 999 for calls in leaves)


def test_many_functions(program):
    """As many callees of one caller as a generated program may have."""
    p = program(
        """
        import timestamp_capture
        from timestamp_capture import timestamp
        exec("".join(f"@timestamp\\ndef callee_{i}(): pass\\n" for i in range(10_000)))
        callees = [globals()[f"callee_{i}"] for i in range(10_000)]

        @timestamp
        def caller():
            for i, callee in enumerate(callees):
                for _ in range(i % 3 + 1): callee()

        timestamp_capture.start()
        for _ in range(5): caller()
        checkpoint()
        """
    )
    p.wait()
    profile = p.dump().check()
    p.finish()
    expected = {f"callee_{i}": 5 * (i % 3 + 1) for i in range(10_000)}
    assert profile.counts() == {**expected, "caller": 5}
    assert profile.pairs() == {(None, "caller"): (5, 5), **{("caller", name): (n, n) for name, n in expected.items()}}


def test_many_paths(program):
    """Every path of three functions to a depth of eight: 9,840 of them."""
    p = program(
        """
        import timestamp_capture
        from timestamp_capture import timestamp

        def make(name):
            @timestamp(name)
            def function(depth):
                if depth:
                    for f in functions: f(depth - 1)
            return function

        functions = [make(name) for name in "abc"]
        timestamp_capture.start()
        for f in functions: f(7)
        checkpoint()
        """
    )
    p.wait()
    profile = p.dump().check()
    p.finish()
    paths = profile.paths()
    assert len(paths) == sum(3**depth for depth in range(1, 9))
    assert set(paths.values()) == {1}
    lengths = collections.Counter(map(len, paths))
    assert lengths == {depth: 3**depth for depth in range(1, 9)}
