"""yappi's statistics as objects: order, columns, sums, files. What they are made of is given here, not recorded."""
import io
import marshal
import os
import pickle
import pstats
import re
import shutil
import struct
import subprocess
import sys

import pytest

from timestamp_capture import _rows, yappi
from timestamp_capture._session import Reading, full_name

MS = 1_000_000
FUNCTIONS = {
    # name: module, line, C function?
    "main": ("/src/app.py", 1, False),
    "fib": ("/src/app.py", 10, False),
    "Parser.parse": ("/src/lib/parser.py", 7, False),
    "sleep": ("time", 0, True),
}


def reading(rows, pairs=(), functions=FUNCTIONS):
    """Rows: (name, context, calls, primitive, ms, own ms[, CPU ms, own CPU ms]); pairs: (caller, *the same of the callee)."""
    sites = {name: site for site, name in enumerate(functions, 10)}

    def whole(row):
        name, context, calls, primitive, *times = row
        times = times if len(times) == 4 else times * 2
        return (sites[name], context, calls, primitive, *(round(ms * MS) for ms in times))

    named = {
        site: (name, module, line, builtin, full_name(builtin, module, line, name), site - 10)
        for (name, site), (module, line, builtin) in zip(sites.items(), functions.values())
    }
    packed = b"".join(struct.pack("=8Q", *whole(row)) for row in rows)
    packed_pairs = b"".join(struct.pack("=9Q", sites[caller], *whole(row)) for caller, *row in pairs)
    return Reading(named, {0: (0, "_MainThread", 0), 1: (1, "Worker", 0)}, packed, packed_pairs)


ROWS = [
    ("main", 0, 1, 1, 100, 10),
    ("fib", 0, 15, 1, 60, 60),
    ("Parser.parse", 0, 4, 4, 30, 20),
    ("sleep", 0, 4, 4, 10, 10),
]
PAIRS = [
    ("main", "fib", 0, 1, 1, 60, 20),
    ("fib", "fib", 0, 14, 0, 40, 40),
    ("main", "Parser.parse", 0, 4, 4, 30, 20),
    ("Parser.parse", "sleep", 0, 4, 4, 10, 10),
]


def stats_of(made, cpu=False, **kwargs):
    stats = yappi.YFuncStats()
    for row in _rows.functions(made, cpu=cpu, **kwargs):
        stats.append(row)
    stats._clock_type = "cpu" if cpu else "wall"
    return stats.sort("ttot")


@pytest.fixture
def stats():
    return stats_of(reading(ROWS, PAIRS))


def named(stats, name):
    (found,) = [stat for stat in stats if stat.name == name]
    return found


def facts(stats):
    """All there is to know of functions and what they called."""

    def row(stat):
        return stat.full_name, stat.ncall, stat.nactualcall, round(stat.ttot, 9), round(stat.tsub, 9), stat.builtin

    return sorted((row(stat), sorted(row(child) for child in stat.children)) for stat in stats)


# ---- rows ----


def test_a_function_has_its_counts_and_seconds(stats):
    fib = named(stats, "fib")
    assert (fib.ncall, fib.nactualcall, fib.ttot, fib.tsub, fib.tavg) == (15, 1, 0.06, 0.06, 0.06 / 15)
    assert (fib.module, fib.lineno, fib.builtin, fib.full_name) == ("/src/app.py", 10, False, "/src/app.py:10 fib")
    assert (fib.ctx_id, fib.ctx_name, fib.tag) == (0, "_MainThread", 0)
    assert fib.is_recursive() and not named(stats, "main").is_recursive()


def test_a_c_function_is_called_by_its_module(stats):
    sleep = named(stats, "sleep")
    assert (sleep.full_name, sleep.lineno, sleep.builtin) == ("time.sleep", 0, True)


def test_fields_are_at_yappis_positions(stats):
    fib = named(stats, "fib")
    assert [fib[i] for i in (0, 1, 2, 3, 4, 6, 7, 15)] == ["fib", "/src/app.py", 10, 15, 1, 0.06, 0.06, fib.full_name]
    assert fib[9] is fib.children
    child = fib.children[fib]
    assert [child[i] for i in range(11)] == [
        child.index, 14, 0, 0.04, 0.04, 0.04 / 14, False, fib.full_name, "/src/app.py", 10, "fib"]  # fmt: skip
    with pytest.raises(KeyError):
        fib[13]


def test_what_a_function_called(stats):
    main, fib, parse = named(stats, "main"), named(stats, "fib"), named(stats, "Parser.parse")
    assert {child.name for child in main.children} == {"fib", "Parser.parse"}
    assert (main.children[fib].ncall, main.children[fib].ttot, main.children[fib].tsub) == (1, 0.06, 0.02)
    assert main.children[parse].tavg == 0.03 / 4  # of these calls, not of all
    assert main.children is main.children


def test_rows_are_found_by_index_name_or_row(stats):
    fib = named(stats, "fib")
    assert stats[fib] is stats[fib.index] is stats[fib.full_name] is fib
    assert stats[99] is None and stats["nobody"] is None
    assert stats[0:2] == list(stats)[:2]
    child = named(stats, "main").children[fib]
    assert stats[child] is fib


def test_a_clock_is_a_view():
    made = reading([("main", 0, 1, 1, 100, 90, 7, 5)])
    assert named(stats_of(made, cpu=False), "main").ttot == 0.1
    assert (named(stats_of(made, cpu=True), "main").ttot, named(stats_of(made, cpu=True), "main").tsub) == (0.007, 0.005)


# ---- contexts and filters ----


THREADS = reading(
    [("main", 0, 1, 1, 10, 10), ("fib", 0, 2, 2, 20, 20), ("fib", 1, 3, 1, 30, 30)],
    [("main", "fib", 0, 2, 2, 20, 20), ("fib", "fib", 1, 2, 0, 5, 5)],
)


def test_contexts_are_added_up():
    fib = named(stats_of(THREADS), "fib")
    assert (fib.ncall, fib.nactualcall, fib.ttot) == (5, 3, 0.05)
    assert fib.children[fib].ncall == 2


@pytest.mark.parametrize("context, calls, children", [(0, 2, 0), (1, 3, 1)])
def test_one_context(context, calls, children):
    stats = stats_of(THREADS, wanted=_rows.Wanted(ctx_id=context))
    fib = named(stats, "fib")
    assert (fib.ncall, len(fib.children), fib.ctx_id) == (calls, children, context)
    assert ("main" in [stat.name for stat in stats]) == (context == 0)


def test_the_old_way_to_filter():
    wanted = _rows.Wanted.of({"ctx_id": 1, "name": "fib", "ncall": 1}, None, None)
    assert [(stat.name, stat.ncall) for stat in stats_of(THREADS, wanted=wanted)] == [("fib", 3)]
    assert stats_of(THREADS, wanted=_rows.Wanted.of({"module": "/src/app.py"}, None, 0))[0].name == "main"
    assert stats_of(THREADS, wanted=_rows.Wanted.of(None, 7, None)).empty()
    assert not stats_of(THREADS, wanted=_rows.Wanted.of(None, 0, 0)).empty()  # 0 is a tag and a context like any other
    for wrong in ({"tag": "sss"}, {"ctx_id": "None"}, {"name": 3}):
        with pytest.raises(TypeError, match=next(iter(wrong))):
            _rows.Wanted.of(wrong, None, None)


def test_a_callback_chooses_among_contexts():
    asked = []

    def second(stat):
        asked.append((stat.name, stat.ctx_id, stat.ncall))
        return stat.ctx_id == 1

    stats = stats_of(THREADS, callback=second)
    assert [(stat.name, stat.ncall) for stat in stats] == [("fib", 3)]
    assert sorted(asked) == [("fib", 0, 2), ("fib", 1, 3), ("main", 0, 1)]


def test_a_function_that_is_left_out_is_nobodys_child(stats):
    left = stats_of(reading(ROWS, PAIRS), callback=lambda stat: stat.name != "fib")
    assert [child.name for child in named(left, "main").children] == ["Parser.parse"]


# ---- order ----


@pytest.mark.parametrize("key, field", [("totaltime", "ttot"), ("TSUB", "tsub"), ("callcount", "ncall"), ("avgtime", "tavg"), ("name", "name")])
def test_order(stats, key, field):
    values = [getattr(stat, field) for stat in stats.sort(key, "asc")]
    assert values == sorted(values, key=lambda value: value.lower() if field == "name" else value)
    assert [getattr(stat, field) for stat in stats.sort(key)] == sorted(values, reverse=True, key=lambda v: v.lower() if field == "name" else v)


def test_an_order_that_is_none(stats):
    with pytest.raises(yappi.YappiError, match="ncall"):
        stats.sort("speed")
    with pytest.raises(yappi.YappiError, match="descending"):
        stats.sort("ttot", "upwards")


def test_children_are_sorted_and_cleared(stats):
    children = named(stats, "main").children
    assert [child.name for child in children.get().sort("name", "asc")] == ["fib", "Parser.parse"]
    children.clear()
    assert children.empty() and len(children) == 0 and children[0] is None


def test_pop_takes_the_last(stats):
    last = list(stats)[-1]
    assert stats.pop() is last and stats[last.full_name] is None and stats[last.index] is None and last not in stats
    assert stats._debug_check_sanity()


# ---- text ----


def printed(stats, **kwargs):
    out = io.StringIO()
    stats.print_all(out=out, **kwargs)
    return out.getvalue().splitlines()


def test_columns(stats):
    assert printed(stats) == [
        "",
        "Clock type: WALL",
        "Ordered by: ttot, desc",
        "",
        "name                                  ncall  tsub      ttot      tavg      ",
        "/src/app.py:1 main                    1      0.010000  0.100000  0.100000",
        "/src/app.py:10 fib                    15/1   0.060000  0.060000  0.004000",
        "/src/lib/parser.py:7 Parser.parse     4      0.020000  0.030000  0.007500",
        "time.sleep                            4      0.010000  0.010000  0.002500",
    ]


def test_what_is_too_long_is_cut_and_shows_it(stats):
    lines = printed(stats, columns={0: ("name", 12), 2: ("ncall", 5), 1: ("ttot", 4)}, limit=3)[5:]
    assert lines == ["...py:1 main  0.10  1    ", "...py:10 fib  0.06  15/1 ", "..rser.parse  0.03  4    "]


@pytest.mark.parametrize("limit, rows", [(None, 4), (2, 2), (0, 0), (-1, 0), (99, 4)])
def test_limit(stats, limit, rows):
    assert len(printed(stats, limit=limit)) == 5 + rows


def test_seconds_fit_their_column():
    stats = stats_of(reading([("main", 0, 1, 1, 123_456_789.123, 12_345.678)]))
    assert printed(stats)[-1].split()[-3:] == ["12.34568", "123456.8", "123456.8"]


def test_columns_that_are_none(stats):
    with pytest.raises(yappi.YappiError, match="namee"):
        stats.print_all(out=io.StringIO(), columns={1: ("namee", 9)})
    with pytest.raises(yappi.YappiError, match="ncall:2"):
        stats.print_all(out=io.StringIO(), columns={1: ("ncall", 2)})
    with pytest.raises(yappi.YappiError, match="dd"):
        named(stats, "main").children.print_all(columns={1: ("dd", 0)})


def test_nothing_is_printed_of_nothing(capsys):
    yappi.YFuncStats().print_all()
    yappi.YFuncStats().debug_print()
    assert capsys.readouterr().out == ""


def test_standard_output_is_the_one_of_now(stats, capsys):
    stats.print_all()
    named(stats, "main").children.print_all()
    stats.debug_print()
    text = capsys.readouterr().out
    assert "/src/app.py:10 fib" in text and "child_full_name: time.sleep" in text and "ncall: 15/1" in text


def test_strip_dirs(stats):
    assert stats.strip_dirs() is stats
    main = named(stats, "main")
    assert (main.module, main.full_name) == ("app.py", "app.py:1 main")
    assert {child.full_name for child in main.children} == {"app.py:10 fib", "parser.py:7 Parser.parse"}
    assert stats["app.py:1 main"] is main and stats["/src/app.py:1 main"] is None
    assert named(stats, "sleep").full_name == "time.sleep"


def test_what_is_missing_is_told(stats):
    stats.complete = False
    assert printed(stats)[3] == "Incomplete: some of what was called could not be recorded"


# ---- matching ----


def test_func_matches():
    code = stats_of.__code__
    functions = {"stats_of": (code.co_filename, code.co_firstlineno, False), "memoryview.tobytes": ("builtins", 0, True), "len": ("builtins", 0, True)}
    stats = stats_of(reading([("stats_of", 0, 1, 1, 1, 1), ("memoryview.tobytes", 0, 1, 1, 1, 1), ("len", 0, 1, 1, 1, 1)], functions=functions))
    for name, function in (("stats_of", stats_of), ("memoryview.tobytes", memoryview.tobytes), ("len", len)):
        assert [stat.name for stat in stats if yappi.func_matches(stat, [function, print])] == [name]
    assert [stat.name for stat in stats if yappi.module_matches(stat, [sys.modules[__name__]])] == ["stats_of"]
    for wrong in ([], "funcs", [3]):
        with pytest.raises(yappi.YappiError):
            yappi.func_matches(stats[0], wrong)
        with pytest.raises(yappi.YappiError):
            yappi.module_matches(stats[0], wrong)
    with pytest.raises(yappi.YappiError):
        yappi.func_matches("main", [len])


# ---- files of our own ----


def test_saved_and_loaded(stats, tmp_path):
    stats.save(tmp_path / "one.ys")
    loaded = yappi.YFuncStats(str(tmp_path / "one.ys"))
    assert facts(loaded) == facts(stats)
    assert printed(loaded)[4:] == printed(stats)[4:]
    assert loaded["/src/app.py:1 main"].children[loaded["/src/app.py:10 fib"]].ncall == 1


def test_files_add_up(stats, tmp_path):
    stats.save(tmp_path / "one.ys")
    rows = [("fib", 0, 5, 1, 6, 6), ("Other.new", 0, 1, 1, 50, 2)]
    other = stats_of(reading(rows, [("fib", "fib", 0, 4, 0, 3, 3), ("fib", "Other.new", 0, 1, 1, 1, 1)], {**FUNCTIONS, "Other.new": ("/o.py", 1, False)}))
    other.save(tmp_path / "two.ys", "YSTAT")
    both = yappi.YFuncStats([tmp_path / "one.ys", tmp_path / "two.ys"])
    fib, new = named(both, "fib"), named(both, "Other.new")
    assert (fib.ncall, fib.nactualcall, fib.ttot, fib.tavg) == (20, 2, pytest.approx(0.066), pytest.approx(0.0033))
    assert (fib.children[fib].ncall, fib.children[new].ncall) == (18, 1)
    assert len(both) == 5 and both._debug_check_sanity() and len({stat.index for stat in both}) == 5
    again = stats.add(tmp_path / "two.ys")
    assert facts(again) == facts(both)


def test_a_file_twice_counts_twice(stats, tmp_path):
    stats.save(tmp_path / "one.ys")
    twice = yappi.YFuncStats([tmp_path / "one.ys"] * 2)
    assert named(twice, "fib").ncall == 30 and named(twice, "fib").children["/src/app.py:10 fib"].ncall == 28


def test_clocks_do_not_mix(stats, tmp_path):
    stats.save(tmp_path / "wall.ys")
    stats_of(reading(ROWS), cpu=True).save(tmp_path / "cpu.ys")
    with pytest.raises(yappi.YappiError, match="Clock type mismatch"):
        yappi.YFuncStats([tmp_path / "wall.ys", tmp_path / "cpu.ys"])
    assert len(yappi.YFuncStats().add(tmp_path / "cpu.ys")) == 4


def test_other_formats(stats, tmp_path):
    with pytest.raises(NotImplementedError, match="ystat"):
        stats.save(tmp_path / "x", "xml")
    with pytest.raises(NotImplementedError, match="ystat"):
        stats.add(tmp_path / "x", "pstat")
    with pytest.raises(OSError):
        stats.add(tmp_path / "not there")


# ---- files of others ----


class Bomb:
    def __reduce__(self):
        return os.system, ("echo exploded >&2",)


def hostile_files():
    yield "nothing", b""
    yield "text", b"not a pickle at all\n"
    yield "half", pickle.dumps(({}, "cpu"), 2)[:-3]
    yield "other content", pickle.dumps([1, 2, 3], 2)
    yield "no statistics", pickle.dumps(({}, "cpu"), 2)
    yield "code", pickle.dumps(Bomb(), 2)
    yield "code in a row", b"\x80\x02cyappi\nYFuncStats\n)\x81}U\x08_as_list]" + pickle.dumps(Bomb(), 2)[2:-1] + b"asbU\x03cpu\x86."
    yield "a clock of its own", b"\x80\x02cyappi\nYFuncStats\n)\x81}U\x08_as_list]sbU\x03sun\x86."
    yield "rows that are none", b"\x80\x02cyappi\nYFuncStats\n)\x81}U\x08_as_list]K\x01asbU\x03cpu\x86."
    yield "an empty row", b"\x80\x02cyappi\nYFuncStats\n)\x81}U\x08_as_list]cyappi\nYFuncStat\n)\x81asbU\x03cpu\x86."
    yield "a state that is none", b"\x80\x02cyappi\nYFuncStats\n)\x81K\x01bU\x03cpu\x86."
    yield "other names of yappi", b"\x80\x02cyappi\nstart\n)\x81."
    yield "builtins", b"cbuiltins\neval\n(S'1'\ntR."
    yield "an extension", b"\x80\x02\x82\x01."
    yield "persistent", b"Pwhat\n."


@pytest.mark.parametrize("name, content", list(hostile_files()), ids=lambda value: value if isinstance(value, str) else "")
def test_nothing_in_a_file_is_run(name, content, tmp_path, capfd):
    path = tmp_path / "hostile.ys"
    path.write_bytes(content)
    with pytest.raises(yappi.YappiError, match="Unable to load the saved profile information from .*hostile.ys: ."):
        yappi.YFuncStats(path)
    assert capfd.readouterr() == ("", "")


def test_a_broken_file_is_an_error_and_nothing_else(stats, tmp_path):
    stats.save(tmp_path / "one.ys")
    whole = (tmp_path / "one.ys").read_bytes()
    path = tmp_path / "broken.ys"
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            yappi.YFuncStats(path)
        except yappi.YappiError:
            pass


YAPPI = """
import sys, types
yappi = types.ModuleType("yappi")
class YStat(dict):
    _KEYS = {}
    def __setattr__(self, name, value):
        self[self._KEYS[name]] = value
        super().__setattr__(name, value)
def keys(text): return {name: int(at) for name, at in (item.split(":") for item in text.split())}
class YFuncStat(YStat):
    _KEYS = keys("name:0 module:1 lineno:2 ncall:3 nactualcall:4 builtin:5 ttot:6 tsub:7 index:8 children:9 ctx_id:10 ctx_name:11 tag:12"
                 " tavg:14 full_name:15")
    def __hash__(self): return hash(self.full_name)
class YChildFuncStat(YFuncStat):
    _KEYS = keys("index:0 ncall:1 nactualcall:2 ttot:3 tsub:4 tavg:5 builtin:6 full_name:7 module:8 lineno:9 name:10")
class YFuncStats:
    pass
class YChildFuncStats(YFuncStats):
    pass
for cls in (YFuncStat, YChildFuncStat, YFuncStats, YChildFuncStats):
    cls.__module__ = "yappi"
    setattr(yappi, cls.__name__, cls)
sys.modules["yappi"] = yappi
"""


def test_yappis_files_are_read_and_ours_are_read_by_yappi(stats, tmp_path):
    """By stand-ins that pickle makes the same of as of yappi's classes. (make check-published does it with yappi itself.)"""
    stats.save(tmp_path / "ours.ys")
    script = YAPPI + (
        "import pickle\n"
        f"stats, clock = pickle.load(open({str(tmp_path / 'ours.ys')!r}, 'rb'))\n"
        "assert clock == 'wall' and len(stats._as_list) == 4\n"
        "for stat in stats._as_list:\n"
        "    assert stat.ncall == stat[3] and stat.full_name == stat[15] and stat.children._as_list == stat[9]._as_list\n"
        "    stats._as_dict[stat] = stats._additional_indexing[stat.index] = stats._additional_indexing[stat.full_name] = stat\n"
        f"pickle.dump((stats, clock), open({str(tmp_path / 'theirs.ys')!r}, 'wb'), 2)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert facts(yappi.YFuncStats(tmp_path / "theirs.ys")) == facts(stats)


# ---- pstat ----


def test_pstats_reads_it(stats, tmp_path):
    stats.save(tmp_path / "p", "pstat")
    read = pstats.Stats(str(tmp_path / "p"))
    main, fib = ("/src/app.py", 1, "main"), ("/src/app.py", 10, "fib")
    primitive, calls, own, whole, callers = read.stats[fib]
    assert (primitive, calls, own, whole) == (1, 15, 0.06, 0.06)  # "15/1", as cProfile has it
    assert callers == {main: (1, 1, 0.02, 0.06), fib: (0, 14, 0.04, 0.04)}
    assert read.stats["~", 0, "<built-in method time.sleep>"][:2] == (4, 4)
    assert (read.total_calls, read.prim_calls) == (24, 10)


def test_converted_and_written_are_the_same(stats, tmp_path):
    converted = yappi.convert2pstats(stats)
    converted.dump_stats(tmp_path / "one")
    stats.save(tmp_path / "two", "pstat")
    assert marshal.loads((tmp_path / "one").read_bytes()) == marshal.loads((tmp_path / "two").read_bytes())
    with pytest.raises(yappi.YappiError):
        yappi.convert2pstats([])


# ---- callgrind ----


def parse_callgrind(text):
    """{function: (file, own cost)} and {(caller, callee): (calls, cost)}, names written out."""
    names = {"f": {}, "c": {}}

    def name(kind, value):
        number, rest = re.fullmatch(r"\((\d+)\)(?: (.*))?", value).groups()
        assert (rest is None) == (number in names[kind])
        return names[kind].setdefault(number, rest)

    own, calls, file, function, callee, count = {}, {}, None, None, None, None
    for line in text.splitlines():
        if line.startswith("fl="):
            file = name("f", line[3:])
        elif line.startswith("cfi="):
            name("f", line[4:])
        elif line.startswith("fn="):
            function = name("c", line[3:])
        elif line.startswith("cfn="):
            callee = name("c", line[4:])
        elif line.startswith("calls="):
            count = int(line[6:].split()[0])
        elif re.fullmatch(r"\d+ \d+", line):
            cost = int(line.split()[1])
            if count is None:
                own[function] = file, cost
            else:
                calls[function, callee], count = (count, cost), None
    return own, calls


def test_callgrind(stats, tmp_path):
    stats.save(tmp_path / "c", "callgrind")
    text = (tmp_path / "c").read_text()
    own, calls = parse_callgrind(text)
    main, fib = "main /src/app.py:1", "fib /src/app.py:10"
    assert "version: 1" in text and "events: Ticks" in text
    assert own == {main: ("/src/app.py", 10_000), fib: ("/src/app.py", 60_000), "Parser.parse /src/lib/parser.py:7": ("/src/lib/parser.py", 20_000),
                   "time.sleep": ("~time", 10_000)}  # fmt: skip
    assert calls[main, fib] == (1, 60_000) and calls[fib, fib] == (14, 40_000) and len(calls) == 4


@pytest.mark.skipif(not shutil.which("callgrind_annotate"), reason="callgrind_annotate is not installed")
def test_callgrind_annotate_reads_it(stats, tmp_path):
    stats.save(tmp_path / "callgrind.out.1", "callgrind")
    read = subprocess.run(["callgrind_annotate", tmp_path / "callgrind.out.1"], stdout=subprocess.PIPE, check=True, text=True).stdout
    assert re.search(r"^\s*100,000 .*PROGRAM TOTALS", read, re.M) and re.search(r"^\s*60,000 .*fib", read, re.M)
