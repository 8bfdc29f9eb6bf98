"""tscap attach --builtins: C functions, against a program that counts its calls of them by itself."""
import ast
import re
import subprocess
import sys

import pytest

import ring
from conftest import LIMIT, TSCAP, start_unprepared
from processes import needs_tracing

pytestmark = needs_tracing
FUNCTION, BUILTIN = 0, 4  # enum site_kind
MONITORING = sys.version_info >= (3, 12)


@pytest.fixture
def counted(start_program):
    return start_unprepared(start_program, "counted_app.py")


def ask(program, expression):
    program.tell("print(repr(%s), flush=True)" % expression)
    value = ast.literal_eval(program.process.stdout.readline())
    program.expect("done")
    return value


def sites(tscap, program):
    return {site["name"]: site for site in tscap("dump", program.pid, "--json").json["sites"] if site["calls"]}


def calls(tscap, program):
    return {name: site["calls"] for name, site in sites(tscap, program).items()}


def attach(tscap, program, *options):
    result = tscap("attach", program.pid, *options)
    assert result.code == 0, result


def is_exact(tscap, program):
    """The counts of both, of all functions that the program counts."""
    expected = ask(program, "dict(counts)")
    seen = calls(tscap, program)
    assert {name: seen.get(name, 0) for name in expected} == expected
    assert not any(name.startswith("timestamp_capture") for name in seen)
    return seen


def test_counts_are_exact(tscap, counted):
    counted.do("begin_thread(50)")
    attach(tscap, counted, "--builtins")
    for statement in ("plain(1)", "plain(300)", "nested(40)", "made_within_c(30)", "in_threads(4, 500)", "end_thread(50)"):
        counted.do(statement)
    seen = is_exact(tscap, counted)
    assert "math.factorial" not in seen and "builtins.abs" not in seen
    assert seen["plain"] == 2 and seen["key"] == 4 * 40
    open_calls = sum(site["open"] for name, site in sites(tscap, counted).items() if name != "builtins.exec")
    assert open_calls <= 2  # where the program waits for the next statement
    assert counted.end() == 0


def test_they_are_sites_of_their_own_kind(tscap, counted):
    """In the segment; what is printed calls both functions."""
    attach(tscap, counted, "--builtins")
    counted.do("plain(1)")
    seen, kinds = sites(tscap, counted), ring.site_kinds(counted.pid)
    assert (kinds["plain"], kinds["math.sqrt"]) == (FUNCTION, BUILTIN)
    assert seen["plain"]["kind"] == seen["math.sqrt"]["kind"] == "function"
    assert counted.end() == 0


def test_which_is_within_which(tscap, counted):
    attach(tscap, counted, "--builtins", "--match", "builtins:sorted", "--match", "math:floor", "--match", "key")
    counted.do("nested(5)")
    tree = tscap("dump", counted.pid, "--tree").out
    rows = [line[line.index("%") :] if "%" in line else line for line in tree.splitlines()]
    indents = [(re.search(r"\S+( \(|$)", row).group().split()[0], re.search(r"(\s*)\S+( \(\S+\))?$", row).group(1)) for row in rows if row]
    named = [(name, len(blanks)) for name, blanks in indents if name in ("builtins.sorted", "key", "math.floor")]
    assert named[:3] == [("builtins.sorted", 2), ("key", 4), ("math.floor", 6)], tree
    assert set(calls(tscap, counted)) == {"builtins.sorted", "math.floor", "key"}


def test_rules(tscap, counted):
    attach(tscap, counted, "--builtins", "--exclude", "*.append", "--exclude", "builtins:*")
    counted.do("plain(3)")
    seen = calls(tscap, counted)
    assert seen["math.sqrt"] == 6 and seen["plain"] == 1
    assert not any(name.endswith("append") or name.startswith("builtins.") or name == "dict.fromkeys" for name in seen)


def test_without_it_there_are_none(tscap, counted):
    attach(tscap, counted)
    counted.do("plain(3)")
    assert calls(tscap, counted) == {"plain": 1, "Fails.__index__": 3}


def hooks(program):
    """What other tools would see: the profile function, the tools and events of sys.monitoring."""
    if not MONITORING:
        return ask(program, "sys.getprofile()")
    return ask(program, "[(sys.monitoring.get_tool(i), i < 6 and sys.monitoring.get_tool(i) and sys.monitoring.get_events(i)) for i in range(6)]")


def test_detach_takes_it_out(tscap, counted):
    before = hooks(counted)
    for times in (3, 4):
        attach(tscap, counted, "--builtins")
        counted.do("counts.clear(); plain(%d)" % times)
        is_exact(tscap, counted)
        assert tscap("detach", counted.pid).code == 0
        counted.do("plain(2)")
        assert hooks(counted) == before
    assert counted.end() == 0


def test_again_without_builtins(tscap, counted):
    attach(tscap, counted, "--builtins")
    counted.do("plain(3)")
    is_exact(tscap, counted)
    attach(tscap, counted)
    counted.do("plain(3)")
    assert calls(tscap, counted)["math.sqrt"] == 6


def test_another_profiler(tscap, counted):
    """cProfile in the program gets what it would get, before, meanwhile and after."""
    run = "profiler = cProfile.Profile(); profiler.runcall(plain, 20); profiler.create_stats()"
    look = "{name: calls[0] for (file, line, name), calls in profiler.stats.items() if 'sqrt' in name or 'append' in name}"
    counted.do("import cProfile")
    counted.do(run)
    alone = ask(counted, look)
    attach(tscap, counted, "--builtins")
    counted.do(run)
    assert ask(counted, look) == alone
    counted.do("counts.clear(); plain(5)")
    recorded = calls(tscap, counted)["math.sqrt"]
    assert recorded == (50 if MONITORING else 10)  # one profile hook for each thread before 3.12: theirs goes before
    assert tscap("detach", counted.pid).code == 0
    counted.do(run)
    assert ask(counted, look) == alone


def test_another_tool_of_sys_monitoring(tscap, counted):
    if not MONITORING:
        pytest.skip("there is none before 3.12")
    counted.do("import collections; heard = collections.Counter(); mon = sys.monitoring; mon.use_tool_id(2, 'other')")
    counted.do("mon.register_callback(2, mon.events.CALL, lambda code, at, what, first: heard.update([what is math.sqrt]))")
    counted.do("mon.set_events(2, mon.events.CALL)")
    attach(tscap, counted, "--builtins")
    counted.do("plain(10)")
    is_exact(tscap, counted)
    assert tscap("detach", counted.pid).code == 0
    counted.do("plain(10)")
    assert ask(counted, "heard[True]") == 40
    assert counted.end() == 0


def test_top(counted, tscap, run_directory):
    counted.do("import time; threading.Thread(target=lambda: [(math.sqrt(1), time.sleep(0.001)) for _ in iter(int, 1)], daemon=True).start()")
    result = subprocess.run([TSCAP, "top", "--attach", "--builtins", "-b", "1", "-d", "1", str(counted.pid)], capture_output=True, text=True, timeout=LIMIT)
    assert result.returncode == 0 and "math.sqrt" in result.stdout and "time.sleep" in result.stdout, result


def test_a_child_has_none(tscap, counted):
    attach(tscap, counted, "--builtins")
    counted.do("import os; r, w = os.pipe()")
    child = "(plain(3), os.write(w, repr(sys.getprofile()).encode() or b'-'), os._exit(0))"
    counted.do("p = os.fork() or %s" % child)
    assert ask(counted, "(os.read(r, 100), os.waitpid(p, 0)[1])") == (b"None", 0)
    counted.do("plain(3)")
    assert calls(tscap, counted)["math.sqrt"] == 6
