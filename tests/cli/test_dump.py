"""Tables, trees and JSON of what was recorded."""
import json
import os
import re
import resource
import shutil
import subprocess
import sys

import jsonschema
import pytest

from conftest import CALLS, LIMIT, ROOT, TSCAP, mask, schema
from terminal import eventually

sys.setrecursionlimit(10_000)  # call trees nest


def rows(result):
    """{name: calls} of the table."""
    return {match.group(2): int(match.group(1)) for match in re.finditer(r"^ *([0-9]+) .*  (\S.*?) \(.*:[0-9]+\)$", result.out, re.M)}


def test_the_table(tscap, recorded):
    result = tscap("dump", recorded.pid)
    assert result.code == 0 and result.err == ""
    assert rows(result) == {("chosen name" if name == "renamed" else name): calls for name, calls in CALLS.items()}
    shape = mask(result.out).split("\n")
    assert re.fullmatch(r"process %d: .*app\.py" % recorded.pid, shape[0])
    assert re.fullmatch(r"Python %d\.%d\.\S+, recording for T, 2 threads recorded \(1 ended\)" % sys.version_info[:2], shape[1])
    assert shape[2] == ""
    assert shape[3].split() == "calls inclusive exclusive % mean min max p50 p95 p99 stddev CPU open suspended name".split()
    table, footer = shape[4:11], shape[11:]
    for row in table:
        assert re.fullmatch(r" ?[0-9]+( T){2} F( T){8} 0 0 \S.* \(\S*app\.py:[0-9]+\)", row), row
    assert footer[0] == ""
    assert re.match(r"7 functions, %d calls, T in them; [12] without calls not shown$" % sum(CALLS.values()), footer[1])
    assert re.match(r"CPU time by \S+: ", footer[2])
    assert re.match(r"recording cost the process about T, T a call$", footer[3])
    assert footer[4:] == [""], "nothing was lost"


CLOSES_UNTOLD = (3, 13) <= sys.version_info < (3, 13, 10) or sys.version_info[:3] == (3, 14, 0)


def test_generators_closed_where_they_wait(tscap, app):
    """Where Python does not tell (gh-140373), that is said beside the numbers; else there is nothing to say."""
    assert tscap("start", app.pid).code == 0
    app.do("def waits(): yield")
    app.do("waits = timestamp(waits); all_of_them = [waits() for _ in range(20)]")
    app.do("[next(each) for each in all_of_them]; [each.close() for each in all_of_them[5:]]")
    count = 20 if CLOSES_UNTOLD else 0
    profile = tscap("dump", "--json", app.pid).json
    (site,) = [site for site in profile["sites"] if site["calls"] == 20]
    assert (site["suspended"], site["open"], site["raised"]) == ((20, 20, 0) if CLOSES_UNTOLD else (5, 5, 15))
    assert profile["losses"]["untold"] == count
    said = "%d calls that wait, or were closed, which this Python does not tell" % count
    assert (said in tscap("dump", app.pid).out) == (said in tscap("top", "-b", 1, "-d", "10ms", app.pid).out) == CLOSES_UNTOLD
    assert ("those closed where they wait count as suspended" in tscap("status", app.pid).out) == CLOSES_UNTOLD


def test_nothing_recorded_yet(tscap, app):
    result = tscap("dump", app.pid)
    assert result.code == 0
    assert "dormant" in result.out
    assert "tscap start %d" % app.pid in result.err


def column(result, header):
    """Texts of a right-aligned column."""
    lines = result.out.split("\n\n")[1].splitlines()
    end = lines[0].index(header) + len(header)
    return [re.split(r"  +", line[:end])[-1].strip() for line in lines[1:]]


def test_sorted_by_exclusive(tscap, recorded):
    percent = [float(text) for text in column(tscap("dump", recorded.pid), "%")]
    assert percent == sorted(percent, reverse=True)
    assert abs(sum(percent) - 100) < 1


def test_sorted_by_calls_or_by_name(tscap, recorded):
    tscap("stop", recorded.pid)
    assert list(rows(tscap("dump", recorded.pid, "--sort", "calls")).values()) == sorted(CALLS.values(), reverse=True)
    names = list(rows(tscap("dump", recorded.pid, "-o", "name")))
    assert names == sorted(names)


def test_limit(tscap, recorded):
    result = tscap("dump", recorded.pid, "-n", 2, "-o", "calls")
    assert rows(result) == {"fib": 177, "leaf": 103}
    assert "5 more not shown (--limit)" in result.out


def test_width(tscap, recorded):
    unlimited = tscap("dump", recorded.pid)
    assert os.path.dirname(__file__) in unlimited.out, "whole paths where there is no terminal"
    table = tscap("dump", recorded.pid, "--width", 120).out.split("\n\n")[1]
    for line in table.splitlines():
        assert len(line) <= 120
    assert "Worker.run (" in table and "/app.py:" in table


@pytest.mark.parametrize("width", [60, 80])
def test_where_it_is_narrow_names_and_lines_stay(tscap, recorded, width):
    tscap("stop", recorded.pid)
    for options in ["--threads"], ["--by", "file"], ["--callers", "fib"]:
        assert max(map(len, tscap("dump", recorded.pid, "--width", width, *options).out.splitlines())) <= width
    for options in [], ["--tree"], ["-o", "stddev"], ["-o", "elapsed"]:
        result = tscap("dump", recorded.pid, "--width", width, *options)
        assert max(map(len, result.out.splitlines())) <= width, "headings and summaries are folded"
        lines = [line for line in result.out.splitlines() if re.match(r"^ *[0-9]+  ", line)]
        assert lines, result
        for name in ("fib", "leaf", "fails"):
            assert any(re.search(r"%s \(\S*app\.py:[0-9]+\)$" % name, line) for line in lines), result
        if options and options[0] == "-o":
            assert options[1] in result.out.split("\n\n")[1].splitlines()[0].split(), result


def test_tree(tscap, recorded):
    tscap("stop", recorded.pid)
    result = tscap("dump", recorded.pid, "--tree", "--min-share", "0")
    assert result.code == 0 and result.err == ""
    threads = re.split(r"\nthread [0-9]+ ", result.out)
    assert threads[2].startswith("worker (ended)\n")
    shape = [re.sub(r" \(.*", "", line) for line in mask(threads[2]).split("\n\n")[0].splitlines()]
    assert shape == ["worker", "calls inclusive exclusive open % name"] + [" 1 T T 0 F Worker.run", " 1 T T 0 F database", " 1 T T 0 F parent", " 3 T T 0 F leaf"]
    indents = [len(re.match(r".*?  ( *)\S+ \(", line[::1][line.index(".") :]).group(1)) for line in threads[2].splitlines()[2:6]]
    assert indents[0] < indents[1] == indents[2] < indents[3]


def test_deep_trees_say_their_depth(tscap, app):
    tscap("start", app.pid)
    app.do("fib(60) if False else None")
    app.do("timestamp_depth = timestamp(lambda n: n and timestamp_depth(n - 1))")
    app.do("timestamp_depth(100)")
    result = tscap("dump", app.pid, "--tree")
    assert "[100] " in result.out
    assert max(map(len, result.out.splitlines())) < 300
    assert "98 more paths not shown" in tscap("dump", app.pid, "--tree", "-n", 3).out


def test_threads(tscap, recorded):
    tscap("stop", recorded.pid)
    result = tscap("dump", recorded.pid, "--threads")
    assert result.code == 0 and result.err == ""
    lines = result.out.split("\n\n")[1].splitlines()
    assert lines[0].split() == ["tid", "state", "calls", "open", "recorded", "%", "CPU", "name"]
    main, worker = (mask(line).split() for line in lines[1:3])
    assert main[1:4] == ["alive", "283", "0"]
    assert worker[1:4] == ["ended", "6", "0"] and worker[-1] == "worker"


def test_open_calls_are_marked(tscap, app):
    """While they run; and once the program is dead, what nobody knows of their CPU time, too."""
    tscap("start", app.pid)
    app.do("asleep = threading.Event()")
    app.do("in_there = timestamp('in there')(lambda: (asleep.set(), time.sleep(1000)))")
    app.do("threading.Thread(target=in_there, daemon=True).start()")
    app.do("asleep.wait()")
    app.do("parent(3)")
    table = tscap("dump", app.pid, "-o", "open")
    assert column(table, "open") == ["1", "0", "0"] and ">=" not in table.out
    assert re.search(r" 1 +[0-9.]+  in there ", tscap("dump", app.pid, "--tree").out)
    app.kill()
    table = tscap("dump", app.pid, "-o", "open")
    assert column(table, "open") == ["1", "0", "0"]
    assert [text.startswith(">= ") for text in column(table, "CPU")] == [True, False, False]
    assert re.search(r"^CPU times with >= may be more by [0-9.]+ \S+ in all: of calls that were open when it ended$", table.out, re.M)


def test_paths_that_are_too_deep_are_said(tscap, app):
    """512 levels: what lies below has no caller's caller. Each number that is shown is right, so it is no failure."""
    tscap("start", app.pid)
    app.do("deep = timestamp('deep')(lambda n: deep(n - 1) if n else leaf())")
    app.do("above = timestamp('above')(lambda: deep(700))")
    app.do("above()")
    given_up = 1 + 701 + 1 - 512
    table = tscap("dump", app.pid)
    assert table.code == 0 and re.search(r"^%d calls without a path, below \(other\) in the tree \(512 levels, TSCAP_NODES\): " % given_up, table.out, re.M)
    assert re.search(r"^ *%d  .* \(other paths\)$" % given_up, tscap("dump", app.pid, "--tree").out, re.M)
    result = tscap("dump", app.pid, "--json")
    assert result.code == 0 and result.json["complete"] is False and result.json["losses"]["unpathed"] == given_up
    assert {site["name"]: site["calls"] for site in result.json["sites"] if site["calls"]} == {"above": 1, "deep": 701, "leaf": 1}
    tscap("reset", app.pid)
    app.do("deep(500)")
    assert tscap("dump", app.pid, "--json").json["complete"] is True


# --- JSON ---


@pytest.fixture
def profile(tscap, recorded):
    tscap("stop", recorded.pid)
    result = tscap("dump", recorded.pid, "--json")
    assert result.code == 0 and result.err == ""
    return result.json


def by_name(profile):
    return {site["qualname"] or site["name"]: site for site in profile["sites"]}


def nodes(node):
    yield node
    for child in node["children"]:
        yield from nodes(child)


def test_json_follows_its_schema(profile):
    jsonschema.Draft7Validator.check_schema(schema("profile"))
    jsonschema.validate(profile, schema("profile"))


def test_json_has_the_keys_that_scripts_rely_on(profile):
    assert profile["schema"] == "tscap.profile/1"
    assert {"pid", "start_time", "command", "python", "alive"} <= set(profile["process"])
    assert {"started_ns", "stopped_ns", "running"} <= set(profile["session"])
    assert {"events", "ns_per_event", "total_ns"} <= set(profile["overhead"])
    site = (
        "id name qualname module file line track calls primitive_calls open raised inclusive_ns exclusive_ns cpu_ns "
        "exclusive_cpu_ns suspended waited_ns elapsed_ns elapsed_ticks bytes min_ns max_ns p50_ns p95_ns p99_ns "
        "stddev_ns elapsed_min_ns elapsed_max_ns elapsed_p50_ns elapsed_p95_ns elapsed_p99_ns"
    )
    for entry in profile["sites"]:
        assert set(site.split()) <= set(entry)
    for thread in profile["threads"]:
        assert {"tid", "name", "alive", "roots"} <= set(thread)
        for root in thread["roots"]:
            for node in nodes(root):
                assert {"site", "calls", "inclusive_ns", "exclusive_ns", "exclusive_cpu_ns", "children"} <= set(node)
    for pair in profile["pairs"]:
        assert {"caller", "callee", "calls", "primitive_calls", "inclusive_ns", "exclusive_ns"} <= set(pair)


AWAITS = '''
import asyncio
async def awaits(): await asyncio.sleep(0.2)
async def asks():
    begin = time.perf_counter_ns()
    await asyncio.gather(*[awaits() for _ in range(3)])
    return time.perf_counter_ns() - begin
awaits = timestamp(awaits)
took = [asyncio.run(asks()) for _ in range(2)]
print('took', max(took), flush=True)
'''


def test_a_coroutine_shows_how_long_it_kept_its_caller_waiting(tscap, app):
    assert tscap("start", app.pid).code == 0
    columns = "elapsed el.mean el.min el.max el.p50 el.p95 el.p99".split()
    app.do("parent(2)")
    assert not set(columns) & set(tscap("dump", app.pid).out.split())
    app.tell(f"exec({AWAITS!r})")
    longest = int(app.process.stdout.readline().split()[1])
    app.expect("done")
    profile = tscap("dump", "--json", app.pid).json
    jsonschema.validate(profile, schema("profile"))
    site = by_name(profile)["awaits"]
    assert (site["calls"], site["ended"], site["open"]) == (6, 6, 0)
    assert 200_000_000 <= site["elapsed_min_ns"] <= site["elapsed_ns"] / 6 <= site["elapsed_max_ns"] <= longest
    for key in ("elapsed_p50_ns", "elapsed_p95_ns", "elapsed_p99_ns"):
        assert site["elapsed_min_ns"] <= site[key] <= site["elapsed_max_ns"]
    assert site["max_ns"] < site["elapsed_max_ns"] - 100_000_000 and site["stddev_ns"] <= site["max_ns"], "it waited for nearly all of that"
    plain = by_name(profile)["parent"]
    assert [plain[f"elapsed_{key}"] for key in ("min_ns", "max_ns", "p99_ns")] == [plain[key] for key in ("min_ns", "max_ns", "p99_ns")]
    table = tscap("dump", app.pid).out
    assert set(columns) <= set(table.split())
    (row,) = [line for line in table.splitlines() if " awaits (" in line]
    header = next(line for line in table.splitlines() if "el.mean" in line).split()
    cells = re.findall(r"[0-9.]+(?: (?:ns|us|ms|s)\b)?", row)
    assert re.fullmatch(r"[2-9]\d\d ms|[0-9.]+ s", cells[header.index("el.mean")]), row
    assert {"elapsed", "el.mean"} <= set(tscap("dump", "--width", 100, app.pid).out.split()), "where there is less room, too"
    assert {"elapsed", "el.mean"} <= set(tscap("top", "-b", 1, "-d", "10ms", app.pid).out.split())
    assert tscap("dump", "--sort", "el.p95", app.pid).out.index(" awaits (") < tscap("dump", "--sort", "el.p95", app.pid).out.index(" parent (")


def test_json_counts(profile, recorded):
    sites = by_name(profile)
    assert {name: site["calls"] for name, site in sites.items() if site["calls"]} == CALLS
    assert sites["fib"]["primitive_calls"] == 1
    assert sites["fails"]["raised"] == 4
    assert sites["renamed"]["name"] == "chosen name"
    assert sites["never"]["calls"] == 0
    assert profile["lost"] == 0 and profile["complete"] is True
    assert not any(profile["losses"].values())
    assert profile["process"]["pid"] == recorded.pid
    assert profile["process"]["alive"] is True
    assert profile["overhead"]["events"] >= 2 * sum(CALLS.values())


def test_json_identities(profile):
    """Sums of ticks are exact."""
    total = 0
    for thread in profile["threads"]:
        paths = [node for root in thread["roots"] for node in nodes(root)]
        assert sum(node["exclusive_ticks"] for node in paths) == thread["roots_ticks"]
        assert sum(root["inclusive_ticks"] for root in thread["roots"]) == thread["roots_ticks"]
        for node in paths:
            assert node["inclusive_ticks"] == node["exclusive_ticks"] + sum(child["inclusive_ticks"] for child in node["children"])
        total += thread["roots_ticks"]
    assert sum(site["exclusive_ticks"] for site in profile["sites"]) == total
    for site in profile["sites"]:
        callers = [pair for pair in profile["pairs"] if pair["callee"] == site["id"]]
        assert sum(pair["calls"] for pair in callers) == site["calls"]
        assert sum(pair["exclusive_ticks"] for pair in callers) == site["exclusive_ticks"]


def exact(node):
    """Ticks and counts: nanoseconds go by the clock's rate as of each dump."""
    return {key: value for key, value in node.items() if not key.endswith("_ns")}


def exact_trees(roots):
    return [{**exact(node), "children": exact_trees(node["children"])} for node in roots]


def nest(flat):
    """Trees of a list of nodes with the index of their parent; each comes after that."""
    nodes = [{**exact(node), "children": []} for node in flat]
    for i, node in enumerate(nodes):
        parent = node.pop("parent")
        assert parent is None or parent < i
        if parent is not None:
            nodes[parent]["children"].append(node)
    return [node for node, told in zip(nodes, flat) if told["parent"] is None]


def path_below(node, length):
    """The nodes below it, one below the other, `length` of them; and what is below the last one."""
    path = []
    while len(path) < length:
        (node,) = node["children"]
        path.append(node)
    return path, node


def depth(value):
    """Of objects and arrays within each other."""
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        value, level = waiting.pop()
        deepest = max(deepest, level)
        waiting += [(part, level + 1) for part in (value.values() if isinstance(value, dict) else value) if isinstance(part, (dict, list))]
    return deepest


def test_json_flat_has_the_same_nodes(tscap, recorded, profile):
    result = tscap("dump", recorded.pid, "--json", "--flat")
    jsonschema.validate(result.json, schema("profile"))
    assert all("roots" not in thread for thread in result.json["threads"])
    assert [nest(thread["nodes"]) for thread in result.json["threads"]] == [exact_trees(thread["roots"]) for thread in profile["threads"]]
    assert any(thread["nodes"] for thread in result.json["threads"])


def test_json_without_trees(tscap, recorded, profile):
    result = tscap("dump", recorded.pid, "--json", "--no-trees")
    jsonschema.validate(result.json, schema("profile"))
    assert all("roots" not in thread and "nodes" not in thread for thread in result.json["threads"])
    for key in "sites", "pairs":
        assert [exact(row) for row in result.json[key]] == [exact(row) for row in profile[key]]
    assert [thread["roots_ticks"] for thread in result.json["threads"]] == [thread["roots_ticks"] for thread in profile["threads"]]


def main_root(tscap, app, *options):
    document = tscap("dump", app.pid, "--json", *options).json
    (thread,) = [thread for thread in document["threads"] if thread["roots_ticks"]]
    return document, thread


@pytest.fixture
def call_deep(tscap, app):
    """Calls so many levels, the last of which is leaf."""

    def call(levels):
        assert tscap("start", app.pid).code == 0
        app.do("deep = timestamp('deep')(lambda n: deep(n - 1) if n else leaf())")
        app.do("deep(%d)" % (levels - 2))

    return call


def test_json_of_deep_calls_nests_no_deeper_than_others_read(tscap, app, call_deep):
    call_deep(302)
    document, thread = main_root(tscap, app)
    jsonschema.validate(document, schema("profile"))
    assert depth(document) <= 140
    (root,) = thread["roots"]
    above, last = path_below(root, 63)
    assert last["children"] == [] and len(last["deeper"]) == 302 - 64
    assert all("deeper" not in node for node in [root, *above[:-1]])
    flat = main_root(tscap, app, "--flat")[1]["nodes"]
    assert depth(flat) <= 3
    rest = last.pop("deeper")
    assert [node["parent"] for node in rest] == [None, *range(len(rest) - 1)]
    assert [node["exclusive_ticks"] for node in [root, *above, *rest]] == [node["exclusive_ticks"] for node in flat]
    (below,) = nest(rest)
    last["children"] = [below]
    assert nest(flat) == exact_trees(thread["roots"])


def test_json_of_a_tree_as_deep_as_can_be_nested(tscap, app, call_deep):
    """Where it just ends, there is no list."""
    call_deep(64)
    (root,) = main_root(tscap, app)[1]["roots"]
    last = path_below(root, 63)[1]
    assert last["children"] == [] and "deeper" not in last


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
@pytest.mark.parametrize("levels", [80, 100, 500])
def test_the_manuals_jq_example(tscap, app, call_deep, levels):
    page = (ROOT / "man" / "tscap.1").read_text()
    (example,) = re.findall(r"^\.Dl \$ tscap dump server\.py --json \| jq (.*)$", page, re.M)
    call_deep(levels)
    result = tscap("dump", app.pid, "--json")
    done = subprocess.run(["sh", "-c", "jq " + example], input=result.out, capture_output=True, text=True, timeout=LIMIT)
    costliest = max(result.json["sites"], key=lambda site: site["exclusive_ticks"])
    assert (done.returncode, done.stdout, done.stderr) == (0, costliest["qualname"] + "\n", "")


@pytest.fixture
def many(start_program):
    """A process in C with so many functions, each called once."""

    def start(count):
        program = start_program(os.path.join(os.environ["TSCAP_BUILD"], "tests", "cli", "consumers"))
        program.expect("ready")
        program.do("functions %d" % count)
        program.do("each")
        return program

    return start


def cpu_of(command):
    """CPU time that it takes, whatever else runs; the least of three."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=LIMIT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


@pytest.mark.parametrize("options", [["--json"], ["--json", "--no-trees"], ["--limit", "5"], ["-s", "--json"]])
def test_time_grows_as_functions_do(many, options):
    """Ten times the functions take about ten times as long (with what is fixed: less), not a hundred times."""
    few, more = many(10_000), many(100_000)
    command = [TSCAP, "dump", *options]
    assert cpu_of([*command, str(more.pid)]) < 25 * cpu_of([*command, str(few.pid)])


def test_json_of_many_functions(tscap, many):
    program = many(20_000)
    document = tscap("dump", "--json", program.pid).json
    assert [site["calls"] for site in document["sites"]] == 20_000 * [1]
    assert [site["name"] for site in document["sites"][::7919]] == ["f%d" % (1 + 7919 * i) for i in range(3)]


def test_json_times_are_ticks_on_the_clocks_scale(profile):
    ns_per_tick = profile["clock"]["ns_per_tick"]
    for site in profile["sites"]:
        assert abs(site["inclusive_ns"] - site["inclusive_ticks"] * ns_per_tick) <= 1
        assert site["min_ns"] <= site["p50_ns"] <= site["p95_ns"] <= site["p99_ns"] <= site["max_ns"]
    database = by_name(profile)["database"]
    assert 2_000_000 <= database["inclusive_ns"] < LIMIT * 1e9
    if profile["clock"]["cpu_mode"] != "wall":
        assert database["cpu_ns"] <= database["inclusive_ns"] - 1_000_000, "it slept for 2 ms"


def test_json_session_is_on_pythons_clock(tscap, start_program):
    code = (
        "import time, timestamp_capture as t\n"
        "a = time.perf_counter_ns(); t.start(); b = time.perf_counter_ns()\n"
        "f = t.timestamp(lambda: None); f()\n"
        "c = time.perf_counter_ns(); t.stop(); d = time.perf_counter_ns()\n"
        "print(a, b, c, d, flush=True); input()\n"
    )
    program = start_program(sys.executable, "-c", code)
    a, b, c, d = map(int, program.process.stdout.readline().split())
    session = tscap("dump", program.pid, "--json").json["session"]
    slack = 2000  # the width of the clock's anchors
    assert a - slack <= session["started_ns"] <= b + slack
    assert c - slack <= session["stopped_ns"] <= d + slack
    assert session["running"] is False


def test_json_of_a_process_that_never_recorded(tscap, app):
    profile = tscap("dump", app.pid, "--json").json
    jsonschema.validate(profile, schema("profile"))
    assert profile["session"]["started_ns"] is None and profile["session"]["stopped_ns"] is None


def test_json_without_cpu_time(tscap, start_app):
    app = start_app(TSCAP_CPU="wall")
    tscap("start", app.pid)
    app.do("parent(3)")
    profile = tscap("dump", app.pid, "--json").json
    jsonschema.validate(profile, schema("profile"))
    assert profile["clock"]["cpu_mode"] == "wall"
    assert by_name(profile)["leaf"]["cpu_ns"] is None
    assert by_name(profile)["leaf"]["exclusive_cpu_ticks"] is None
    result = tscap("dump", app.pid)
    assert re.search(r"  - +0 +0  leaf ", result.out)


def test_json_by_the_systems_clock(tscap, start_app):
    app = start_app(TSCAP_CLOCK="monotonic")
    tscap("start", app.pid)
    app.do("Worker().run()")
    profile = tscap("dump", app.pid, "--json").json
    assert profile["clock"]["source"] == "monotonic"
    assert profile["clock"]["ns_per_tick"] == 1
    assert by_name(profile)["database"]["inclusive_ns"] >= 2_000_000


def test_json_with_any_name(tscap, app):
    names = ['quote " and \\ backslash', "a\ttab", "\u00e9t\u00e9 \u65e5\u672c", "\U0001f600", "</script>"]
    for i, name in enumerate(names):
        app.do("f%d = timestamp(%r)(eval('lambda: None'))" % (i, name))
    tscap("start", app.pid)
    for i in range(len(names)):
        app.do("f%d()" % i)
    found = {site["name"] for site in tscap("dump", app.pid, "--json").json["sites"]}
    assert set(names) <= found
    assert tscap("dump", app.pid).code == 0


def test_calls_that_have_not_ended(tscap, app):
    tscap("start", app.pid)
    app.tell("parent(10**9)")
    first = eventually(lambda: by_name(tscap("dump", app.pid, "--json").json), lambda found: found["parent"]["calls"])
    second = by_name(tscap("dump", app.pid, "--json").json)
    assert first["parent"]["calls"] == first["parent"]["open"] == 1
    assert first["parent"]["ended"] == 0
    assert second["parent"]["inclusive_ns"] > first["parent"]["inclusive_ns"] > 0
    assert re.search(r"^ +1 .* -  +-  +-  +-  +-  .*  parent ", tscap("dump", app.pid).out, re.M), "no minimum yet"


# --- the dead, and files ---


def test_a_killed_process(tscap, recorded):
    recorded.kill()
    result = tscap("dump", recorded.pid)
    assert result.code == 0
    assert "dead" in result.out
    assert rows(result)["leaf"] == 103
    profile = tscap("dump", recorded.pid, "--json").json
    jsonschema.validate(profile, schema("profile"))
    assert profile["process"]["alive"] is False
    assert {name: site["calls"] for name, site in by_name(profile).items() if site["calls"]} == CALLS


def test_a_kept_segment(tscap, start_app):
    app = start_app(TSCAP_KEEP="1")
    tscap("start", app.pid)
    app.do("parent(10)")
    assert app.end() == 0
    assert rows(tscap("dump", app.pid)) == {"parent": 1, "leaf": 10}


def test_a_process_that_ended_well_leaves_nothing(tscap, recorded, run_directory):
    assert recorded.end() == 0
    tscap("dump", recorded.pid).is_error(3)
    assert list(run_directory.iterdir()) == []


def test_a_copy(tscap, recorded, copy_segment):
    copy = copy_segment(recorded)
    recorded.end()
    result = tscap("dump", copy)
    assert result.code == 0
    assert rows(result)["leaf"] == 103
    renamed = os.path.join(os.path.dirname(copy), "any-name")
    os.rename(copy, renamed)
    assert rows(tscap("dump", renamed)) == rows(result)


def test_a_file_in_the_current_directory(tscap, recorded, copy_segment, monkeypatch):
    copy = copy_segment(recorded)
    monkeypatch.chdir(os.path.dirname(copy))
    assert tscap("dump", os.path.basename(copy)).code == 0
    os.symlink(copy, "link.tscap")
    assert tscap("dump", "./link.tscap").code == 0


def test_nothing_is_written_to_the_target(tscap, recorded, run_directory):
    recorded.signal(__import__("signal").SIGSTOP)
    before = {path.name: path.read_bytes() for path in run_directory.glob("*.tscap")}
    tscap("dump", recorded.pid)
    tscap("dump", recorded.pid, "--json")
    tscap("top", "-b", 1, "-d", "50ms", recorded.pid)
    tscap("status", recorded.pid, "--timeout", "50ms")
    assert before == {path.name: path.read_bytes() for path in run_directory.glob("*.tscap")}


# --- losses ---


@pytest.fixture
def lossy(tscap, start_app):
    """A process whose memory is too small for its threads."""
    app = start_app(TSCAP_MEMORY="1")
    tscap("start", app.pid)
    app.do("threads = [threading.Thread(target=lambda: (parent(5), gate.wait())) for _ in range(30)]; gate = threading.Event()")
    app.do("[thread.start() for thread in threads]; gate.set(); [thread.join() for thread in threads]")
    return app


def test_losses_are_said_and_have_their_exit_code(tscap, lossy):
    result = tscap("dump", lossy.pid)
    lost = tscap("dump", lossy.pid, "--json", "--max-loss", 10**9).json["lost"]
    assert lost > 0
    assert result.code == 6
    assert "%d calls lost" % lost in result.out
    assert result.what == "tscap: %d calls were lost, 0 are allowed" % lost
    assert tscap("dump", lossy.pid, "--max-loss", lost).code == 0
    assert tscap("dump", lossy.pid, "--max-loss", lost - 1).code == 6
    assert tscap("top", "-b", 1, "-d", "50ms", lossy.pid).code == 6


def test_a_json_with_losses_is_whole(tscap, lossy):
    result = tscap("dump", lossy.pid, "--json")
    assert result.code == 6
    jsonschema.validate(result.json, schema("profile"))
    assert result.json["losses"]["calls"] == result.json["lost"]


# --- output ---


def test_a_pipe_that_ends_early(tscap, recorded):
    command = '"$0" dump "$1" --json | head -c 100'
    result = subprocess.run(["bash", "-c", command, TSCAP, str(recorded.pid)], capture_output=True, text=True)
    assert len(result.stdout) == 100
    assert result.stderr == ""


def test_even_where_sigpipe_is_ignored(recorded):
    command = 'trap "" PIPE; "$0" dump "$1" --json | head -c 100'
    result = subprocess.run(["bash", "-c", command, TSCAP, str(recorded.pid)], capture_output=True, text=True)
    assert len(result.stdout) == 100
    assert result.stderr == ""


def test_a_full_disk(recorded):
    with open("/dev/full", "w") as full:
        result = subprocess.run([TSCAP, "dump", str(recorded.pid)], stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("tscap: cannot write the output\n")


def run_on_terminal(arguments, environment=None, columns=100):
    """What a terminal of that width would get."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
    process = subprocess.Popen([TSCAP, *map(str, arguments)], stdout=theirs, env={**os.environ, "TERM": "xterm", **(environment or {})})
    os.close(theirs)
    output = b""
    try:
        while True:
            chunk = os.read(ours, 65536)
            if not chunk:
                break
            output += chunk
    except OSError:
        pass  # EIO: the other side is closed
    os.close(ours)
    assert process.wait() == 0
    return output.decode().replace("\r\n", "\n")


def test_on_a_terminal(recorded):
    text = run_on_terminal(["dump", recorded.pid])
    table = text.split("\n\n")[1]
    assert table.startswith("\033[1m") and "\033[0m\n" in table
    assert text.count("\033") == 2
    for line in table.splitlines()[1:]:
        assert len(line) <= 100
    assert "p99" in table and "p50" not in table, "what fits"


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"CLICOLOR": "0"}, {"TERM": ""}])
def test_no_escape_sequences_where_somebody_objects(recorded, environment):
    assert "\033" not in run_on_terminal(["dump", recorded.pid], environment)


def test_escape_sequences_where_somebody_insists(tscap, recorded):
    assert "\033" in tscap("dump", recorded.pid, CLICOLOR_FORCE="1").out
    assert "\033" not in tscap("dump", recorded.pid, CLICOLOR_FORCE="0").out
    assert "\033" not in tscap("dump", recorded.pid, CLICOLOR_FORCE="1", NO_COLOR="1").out


def test_numbers_are_the_same_in_every_locale(tscap, recorded):
    recorded.kill()
    plain = json.loads(tscap("dump", recorded.pid, "--json", LC_ALL="C").out)
    other = json.loads(tscap("dump", recorded.pid, "--json", LC_ALL="de_DE.UTF-8").out)
    assert plain["sites"][0]["calls"] == other["sites"][0]["calls"]


def heading(tscap, app):
    return tscap("dump", app.pid).out.splitlines()[1].rsplit(", ", 1)[1]


def test_threads_that_have_ended_are_counted(tscap, app):
    """Each of the last 256 has a row, the others have one together; a reset forgets them."""
    tscap("start", app.pid)
    app.do("[in_thread('quick', leaf) for _ in range(300)]")
    assert heading(tscap, app) == "300 threads recorded (300 ended)"
    app.do("leaf()")
    assert heading(tscap, app) == "301 threads recorded (300 ended)"
    profile = tscap("dump", app.pid, "--json").json
    assert len(profile["threads"]) < 300
    assert profile["overhead"]["events"] >= 602, "a record for each beginning and each end"
    tscap("reset", app.pid)
    app.do("in_thread('quick', leaf)")
    assert heading(tscap, app) == "1 thread recorded (1 ended)"
    app.kill()
    assert heading(tscap, app) == "1 thread recorded"
