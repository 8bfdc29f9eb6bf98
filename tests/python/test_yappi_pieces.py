"""Statistics of thousands of functions: made in pieces, between which the interpreter's lock is free, and equal to those made one by one."""
import gc
import struct
import sys
import weakref

import pytest

from timestamp_capture import _rows, _session, yappi
from timestamp_capture._func_stats import YFuncStat
from timestamp_capture._select import core
from timestamp_capture._session import PIECE, ROW_BYTES, Reading, Session, full_name

if not hasattr(core, "_stats"):
    pytest.skip("the recorder in pure Python has no sessions", allow_module_level=True)

FIELDS = ("_site", "ncall", "nactualcall", "ttot", "tsub", "tavg", "ctx_id", "ctx_name", "tag", "name", "module", "lineno", "builtin", "full_name", "index")
CONTEXTS = {0: (0, "_MainThread", 0), 3: (1, "Worker", 7), 4: (2, "Worker", 0)}


def packed(rows):
    return b"".join(struct.pack("=8Q", *row) for row in rows)


def reading_of(functions, lanes):
    """Of `functions` functions in each of these threads, no two rows alike."""
    named = {site: (f"f{site}", "m.py", site, False, full_name(False, "m.py", site, f"f{site}"), site) for site in range(1, functions + 1)}
    rows = [(site, lane, site + lane, site, *(site * k + lane for k in (7, 5, 3, 2))) for lane in lanes for site in named]
    return Reading(named, {lane: CONTEXTS[lane] for lane in lanes if lane in CONTEXTS}, packed(rows), b"")


def facts(stats):
    return sorted(tuple(getattr(stat, field) for field in FIELDS) for stat in stats)


# ---- pieces ----


class Watched:
    """The recorder; what was done between two rests is noted."""

    def __init__(self, progress):
        self.progress, self.seen, self.stretches = progress, 0, []

    def __getattr__(self, name):
        return getattr(core, name)

    def note(self):
        self.stretches.append(self.progress() - self.seen)
        self.seen = self.progress()

    def _rest(self):
        self.note()
        core._rest()


def test_rows_are_made_in_pieces_between_which_the_lock_is_free(monkeypatch):
    made = []

    class Counted(Watched):
        def _stats(self, *args):
            made.extend(core._stats(*args))
            return core._stats(*args)

    watched = Counted(lambda: len(made))
    monkeypatch.setattr(_rows, "core", watched)
    functions = 5 * PIECE + 10
    assert len(_rows.functions(reading_of(functions, [0]), cpu=False)) == functions
    watched.note()
    assert sum(watched.stretches) == functions and max(watched.stretches) == PIECE


def test_names_are_learned_in_pieces_between_which_the_lock_is_free(monkeypatch):
    session, functions = Session("yappi", "pieces"), 5 * PIECE + 10
    watched = Watched(lambda: len(session._functions))
    monkeypatch.setattr(_session._select, "core", watched)
    sites = b"".join(struct.pack("=5Q", site, 1, 0, 0, 0) for site in range(1, functions + 1))
    session._learn(sites, [text for site in range(1, functions + 1) for text in (f"f{site}", "m", "m.py")])
    watched.note()
    assert sum(watched.stretches) == functions and max(watched.stretches) <= PIECE


def test_a_session_of_thousands_is_read_in_pieces(monkeypatch):
    space, functions = {}, 3 * PIECE
    exec(compile("\n".join(f"def f{i}(): pass" for i in range(functions)), "thousands.py", "exec"), space)
    rests = []

    class Counted(Watched):
        def _rest(self):
            rests.append(1)
            core._rest()

    yappi.clear_stats()
    yappi.start()
    for i in range(functions):
        space[f"f{i}"]()
    yappi.stop()
    watched = Counted(lambda: 0)
    monkeypatch.setattr(_rows, "core", watched)
    monkeypatch.setattr(_session._select, "core", watched)
    stats = [stat for stat in yappi.get_func_stats() if stat.module == "thousands.py"]
    yappi.clear_stats()
    assert len(stats) == functions and all(stat.ncall == 1 for stat in stats)
    assert len(rests) >= 2 * (functions // PIECE - 1)  # names, rows


# ---- what they are ----


@pytest.mark.parametrize("cpu", [False, True])
@pytest.mark.parametrize("lanes", [[0], [3], [0, 3, 4], [0, 9], []])
def test_they_equal_those_made_one_by_one(lanes, cpu):
    reading = reading_of(50, lanes)
    one_by_one = _rows._Rows(reading, _rows.EVERYTHING, _session.CPU if cpu else _session.REAL)
    expected = one_by_one.stats(_rows._by_site(one_by_one.seen()).values())
    assert facts(_rows.functions(reading, cpu=cpu)) == facts(expected)
    assert len(expected) == (50 if lanes else 0)


@pytest.mark.parametrize("wanted", [_rows.Wanted(tag=7), _rows.Wanted(ctx_id=2), _rows.Wanted(tag=0), _rows.Wanted(tag=5)])
def test_threads_are_chosen(wanted):
    reading = reading_of(50, [0, 3, 4])
    one_by_one = _rows._Rows(reading, wanted, _session.REAL)
    assert facts(_rows.functions(reading, cpu=False, wanted=wanted)) == facts(one_by_one.stats(_rows._by_site(one_by_one.seen()).values()))


# ---- what they are made of ----


def test_nothing_is_kept():
    reading = reading_of(10, [0])
    function, context = reading.functions[5], CONTEXTS[0]
    before = sys.getrefcount(function), sys.getrefcount(context), sys.getrefcount(function[0]), sys.getrefcount(YFuncStat.name)
    for _ in range(100):
        core._stats(YFuncStat, reading.functions, CONTEXTS, None, False, reading.packed)
    assert (sys.getrefcount(function), sys.getrefcount(context), sys.getrefcount(function[0]), sys.getrefcount(YFuncStat.name)) == before


def test_they_go_without_the_collector_of_garbage():
    gc.disable()
    try:
        stats = yappi.YFuncStats()
        stats._fill(_rows.functions(reading_of(10, [0, 3]), cpu=False))
        rows = weakref.ref(stats[1]._children)
        assert [len(stat.children) for stat in stats] == [0] * 10 and not any(gc.is_tracked(stat) for stat in stats)
        del stats
        assert rows() is None
    finally:
        gc.enable()


class Unslotted:
    pass


@pytest.mark.parametrize(
    "error, type, functions, rows",
    [
        (ValueError, YFuncStat, {}, packed([(1, 0, 1, 1, 1, 1, 1, 1)])),  # a function that nobody knows
        (ValueError, YFuncStat, {1: ("f", "m.py")}, packed([(1, 0, 1, 1, 1, 1, 1, 1)])),
        (ValueError, YFuncStat, {1: 5}, packed([(1, 0, 1, 1, 1, 1, 1, 1)])),
        (ValueError, YFuncStat, {}, b"x" * (ROW_BYTES - 1)),
        (AttributeError, Unslotted, {}, b""),
        (TypeError, 5, {}, b""),
        (TypeError, YFuncStat, [], b""),
    ],
)
def test_what_is_no_row_is_refused(error, type, functions, rows):
    with pytest.raises(error):
        core._stats(type, functions, CONTEXTS, None, False, rows)


@pytest.mark.parametrize("rows", [b"x", packed([(2**40, 0, 1, 1, 1, 1, 1, 1)])])
def test_what_is_no_row_is_not_added_up(rows):
    with pytest.raises(ValueError):
        core._add_up(rows, b"\1")
