"""--subprocesses: what a process and all that descend from it recorded, as one."""
import re
import sys
import time

import jsonschema
import pytest

from conftest import LIMIT, schema

FORK = "pid = os.fork()\nif pid == 0:\n    {}\n    os._exit(0)\nos.waitpid(pid, 0)"


def fork(app, statement):
    """A child that runs it and ends as one does that is killed: its segment stays."""
    app.do("exec(%r)" % FORK.format(statement))


def fork_worker(app):
    """A child that lives until its parent has ended, and does what it is told by `work(app, statement)`; it is there."""
    app.do(
        "exec(%r)"
        % """
import os, signal
inlet, outlet = os.pipe()
answers, answer = os.pipe()
if os.fork() == 0:
    os.close(outlet)
    for line in os.fdopen(inlet):
        exec(line, globals())
        os.write(answer, b".")
    os._exit(0)
"""
    )
    work(app, "pass")


def work(app, statement):
    app.do("os.write(outlet, %r); os.read(answers, 1)" % (statement + "\n").encode())


@pytest.fixture
def family(app, tscap):
    """Three processes that recorded known calls: one that lives, a child that lives, a child that has ended."""
    app.do("import os")
    fork_worker(app)
    assert tscap("start", "-s", app.pid).code == 0
    app.do("parent(10)")
    work(app, "parent(20)")
    fork(app, "parent(30); fib(5)")
    return app


CALLS = {"leaf": (60, 3), "parent": (3, 3), "fib": (15, 1)}


def table(text):
    found = re.findall(r"^ *([0-9]+) .* ([0-9]+)  (\w+) \(", text, re.M)
    return {name: (int(calls), int(processes)) for calls, processes, name in found}


def sites(document):
    return {site["qualname"]: (site["calls"], site["processes"]) for site in document["sites"] if site["calls"]}


def test_dump(tscap, family):
    result = tscap("dump", "-s", family.pid)
    assert result.code == 0 and result.err == ""
    assert result.out.startswith("process %d and 2 subprocesses (1 ended): " % family.pid)
    assert table(result.out) == CALLS
    alone = tscap("dump", family.pid)
    assert "processes" not in alone.out.splitlines()[3]
    assert sites(tscap("dump", family.pid, "--json").json) == {"leaf": (10, 1), "parent": (1, 1)}
    assert list(table(tscap("dump", "-s", family.pid, "-o", "processes").out))[-1] == "fib"


def test_json(tscap, family):
    document = tscap("dump", "-s", "-j", family.pid).json
    jsonschema.validate(document, schema("profile"))
    assert sites(document) == CALLS
    assert document["complete"] and document["lost"] == 0
    assert [process["alive"] for process in document["processes"]] == [True, True, False]
    assert all(process["parent_pid"] == family.pid for process in document["processes"][1:])
    assert {thread["pid"] for thread in document["threads"]} == {process["pid"] for process in document["processes"]}
    exclusive = sum(site["exclusive_ticks"] for site in document["sites"])
    assert exclusive == sum(thread["roots_ticks"] for thread in document["threads"])
    calls = {site["id"]: site["calls"] for site in document["sites"]}
    pairs = dict.fromkeys(calls, 0)
    for pair in document["pairs"]:
        pairs[pair["callee"]] += pair["calls"]
    assert pairs == calls


def test_trees_and_threads(tscap, family):
    trees = tscap("dump", "-s", "--tree", family.pid).out
    pids = re.findall(r"^process ([0-9]+) thread \1 MainThread", trees, re.M)
    assert len(set(pids)) == 3 and pids[0] == str(family.pid)
    assert sum(int(calls) for calls in re.findall(r"^ *([0-9]+) .*   leaf \(", trees, re.M)) == 60
    threads = tscap("dump", "-s", "--threads", family.pid).out
    assert re.findall(r"^ *([0-9]+) +\1 +(?:alive|ended) +([0-9]+)", threads, re.M) == list(zip(pids, ["11", "21", "46"]))


def test_the_sum_is_that_of_its_parts(tscap, family):
    """Also of times, of a child alone with its own, and after a stop."""
    assert tscap("stop", "-s", family.pid).code == 0
    whole = tscap("dump", "-s", "-j", family.pid).json
    parts = [tscap("dump", "-j", process["pid"]).json for process in whole["processes"]]
    for key in ("calls", "primitive_calls", "inclusive_ticks", "exclusive_ticks", "ended", "raised"):
        for site in whole["sites"]:
            assert site[key] == sum(s[key] for part in parts for s in part["sites"] if s["qualname"] == site["qualname"])
    assert whole["overhead"]["events"] == sum(part["overhead"]["events"] for part in parts)
    for site in whole["sites"]:
        same = [s for part in parts for s in part["sites"] if s["qualname"] == site["qualname"] and s["ended"]]
        if same:
            assert site["min_ns"] == pytest.approx(min(s["min_ns"] for s in same), rel=0.01, abs=2)
            assert site["max_ns"] == pytest.approx(max(s["max_ns"] for s in same), rel=0.01, abs=2)
            assert site["min_ns"] <= site["p50_ns"] <= site["p99_ns"] <= site["max_ns"]
    assert whole["session"]["running"] is False


def test_losses_add_up(tscap, start_app):
    app = start_app(TSCAP_MEMORY="1")
    app.do("import os")
    tscap("start", "-s", app.pid)
    app.do("many = [timestamp('f%d' % i + 'x' * 500)(lambda: None) for i in range(4000)]")
    app.do("[f() for f in many]")
    fork(app, "[f() for f in many]")
    one, both = (tscap("dump", *option, "--json", app.pid) for option in ((), ("-s",)))
    assert one.code == both.code == 6
    child = tscap("dump", "--json", both.json["processes"][1]["pid"])
    assert one.json["lost"] > 0 and child.json["lost"] > 0
    assert both.json["losses"] == {name: count + child.json["losses"][name] for name, count in one.json["losses"].items()}


def test_what_is_gone_is_missed(tscap, family):
    assert len(tscap("gc").out.splitlines()) == 2
    result = tscap("dump", "-s", family.pid)
    assert result.code == 6
    assert "1 subprocesses that should record, and of which there is nothing" in result.out
    assert table(result.out) == {"leaf": (30, 2), "parent": (2, 2)}
    assert "reset -s %d" % family.pid in result.remedy
    assert tscap("reset", "-s", family.pid).code == 0
    work(family, "parent(4)")
    assert table(tscap("dump", "-s", family.pid).out) == {"leaf": (4, 1), "parent": (1, 1)}


def test_a_member_that_cannot_be_read(tscap, family, run_directory):
    child = tscap("dump", "-s", "-j", family.pid).json["processes"][-1]["pid"]
    (segment,) = run_directory.glob("%d-*.tscap" % child)
    segment.write_bytes(b"garbage" * 1000)
    assert tscap("dump", "-s", family.pid).code == 6, "who it descends from nobody knows, but it is missed"


def test_of_the_dead(tscap, family):
    family.kill()
    assert table(tscap("dump", "-s", family.pid).out) == CALLS


def test_not_of_a_file(tscap, family, copy_segment):
    tscap("dump", "-s", copy_segment(family)).is_error(2)


def test_each_by_itself(tscap, family):
    blocks = tscap("status", "-s", family.pid).out.split("\n\n")
    assert len(blocks) == 3
    assert [re.search("^state +(.*)$", block, re.M).group(1) for block in blocks] == ["recording", "recording", "dead (while it recorded)"]
    assert "so does this one, as an ancestor does" in blocks[2] and "so does this one" not in blocks[1]


def test_tables_of_intervals(tscap, family, tables):
    """A member ends and takes its numbers along; another begins; a third goes on."""
    top = tables("-d", "0.3", "-s", family.pid)
    work(family, "parent(7)")
    fork(family, "parent(5)")
    top.read_until({"leaf": 12, "parent": 2}, "and 3 subprocesses (2 ended)")
    tscap("gc")
    work(family, "parent(8)")
    top.read_until({"leaf": 20, "parent": 3})
    family.end()
    top.process.communicate(timeout=LIMIT)
    assert top.process.returncode == 0, "what others removed had been seen"


def test_json_and_tree_of_processes(tscap, family):
    lines = tscap("ps", "-a", "-t").out.splitlines()[1:]
    assert ["\\_" in line for line in lines] == [False, True, True]
    jsonschema.validate(tscap("ps", "-a", "-j").json, schema("processes"))
    tscap("ps", "-j", "-t").is_error(2)


def test_a_grandchild_below_a_dead_process(tscap, app):
    """The one between is not listed without --all; the grandchild stands below its grandparent then."""
    app.do("import os")
    app.do("r, w = os.pipe()")
    statement = "os.fork() and os._exit(0); os.close(w); os.read(r, 1)"
    fork(app, statement)
    listed = tscap("ps", "-t").out.splitlines()[1:]
    deadline = time.monotonic() + LIMIT
    while len(listed) != 2 and time.monotonic() < deadline:
        listed = tscap("ps", "-t").out.splitlines()[1:]
    assert [line.index("\\_") > 0 if "\\_" in line else False for line in listed] == [False, True]
    everybody = tscap("ps", "-t", "-a").out.splitlines()[1:]
    positions = [line.find("\\_") for line in everybody]
    assert len(everybody) == 3 and -1 == positions[0] < positions[1] < positions[2]
    app.do("os.close(w)")


def test_who_does_not_answer_is_named(tscap, family):
    """The others are told all the same."""
    child = tscap("dump", "-s", "-j", family.pid).json["processes"][1]["pid"]
    import os
    import signal

    os.kill(child, signal.SIGSTOP)
    try:
        result = tscap("stop", "-s", "--timeout", "0.3", family.pid)
        assert result.code == 124 and "process %d did not answer" % child in result.err
        assert re.search("^state +stopped$", tscap("status", family.pid).out, re.M)
    finally:
        os.kill(child, signal.SIGCONT)


def test_functions_of_different_programs_are_not_mixed(tscap, app, tmp_path):
    """Equal names in other files, or lines, are other functions."""
    other = tmp_path / "other.py"
    other.write_text("from timestamp_capture import timestamp\n\n@timestamp\ndef leaf(): pass\n\nfor _ in range(5): leaf()\nimport os\nos._exit(0)\n")
    tscap("start", "-s", app.pid)
    app.do("parent(3)")
    app.do("import subprocess; subprocess.run([%r, %r], check=True)" % (sys.executable, str(other)))
    rows = re.findall(r"^ *([0-9]+) .* ([0-9]+)  (\S+) \(.*?(\w+\.py):", tscap("dump", "-s", app.pid).out, re.M)
    assert sorted(rows) == [("1", "1", "parent", "app.py"), ("3", "1", "__main__.leaf", "app.py"), ("5", "1", "__main__.leaf", "other.py")]
