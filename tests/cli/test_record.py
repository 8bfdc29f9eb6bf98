"""`tscap record`: what happens from now on, in a file that opens whatever becomes of either side."""
import os
import re
import resource
import signal
import stat
import subprocess

import captures
import pytest

from conftest import LIMIT, TSCAP
from recording import Record
from test_family import fork, fork_worker, work


@pytest.fixture
def record(tmp_path):
    """Starts `tscap record`; it has begun."""
    begun = []

    def start(*arguments, name="x.tscap", wait=True, **options):
        begun.append(Record(tmp_path / name, *arguments, **options))
        if wait:
            begun[-1].wait_until()
        return begun[-1]

    yield start
    for each in begun:
        each.close()


def records(tscap, app):
    return tscap("dump", "-j", app.pid).json["session"]["running"]


def table(text):
    return {name: int(calls) for calls, name in re.findall(r"^ *([0-9]+) .*  (\S+) \(", text, re.M)}


# ---- its end ----


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_finishes_the_file(tscap, app, record, number):
    r = record(app.pid)
    app.do("parent(10); fib(5)")
    assert r.end(number) == 0
    assert r.out == "" and "saved %s" % r.path in r.err
    capture = captures.read(r.path)
    assert capture.finished
    assert capture.calls() == {"leaf": 10, "parent": 1, "fib": 15}
    assert not records(tscap, app)
    shown = tscap("dump", r.path)
    assert shown.code == 0 and shown.err == ""
    assert table(shown.out) == {"leaf": 10, "parent": 1, "fib": 15}


def test_a_duration(tscap, app, record):
    r = record(app.pid, "-d", "300ms", wait=False)
    assert r.end(None) == 0
    assert captures.read(r.path).finished


def test_nothing_is_said_of_progress_where_no_terminal_is(app, record):
    r = record(app.pid)
    r.wait_until(lambda capture: len(capture.looks) > 1)
    assert r.end() == 0
    assert "\r" not in r.err and "\033" not in r.err and len(r.err.splitlines()) <= 2


def test_on_a_terminal_it_says_how_it_goes_until_ctrl_c(app, terminal, tmp_path):
    path = tmp_path / "x.tscap"
    t = terminal("%s record -o %s %d; echo exit $?; exec sleep 1000" % (TSCAP, path, app.pid), width=160)
    t.see(r"recording process %d for .*\(\^C ends it\)" % app.pid)
    t.press("C-c")
    screen = t.see("^exit 0")
    assert "(^C ends it)" not in screen and "saved" in screen
    assert captures.read(path).finished


def test_what_was_before_is_not_in_the_file_and_stays(tscap, recorded, record):
    before = tscap("dump", "-j", recorded.pid).json
    r = record(recorded.pid)
    recorded.do("parent(7); fib(3); in_thread('later', leaf)")
    assert r.end() == 0
    capture = captures.read(r.path)
    assert capture.calls() == {"leaf": 8, "parent": 1, "fib": 5}
    assert capture.total["interval"] == 1 and capture.total["calls"] == 14
    assert {row["qualname"]: row["raised"] for row in named(capture)} == {"leaf": 0, "parent": 0, "fib": 0}
    by_hand = tscap("dump", "-j", recorded.pid).json
    assert by_hand["session"]["running"], "who recorded still does"
    check_interval(capture, before, by_hand)


def named(capture):
    names = {row["function"]: row for row in capture.names}
    return [{**names[row["function"]], **row} for row in capture.functions]


def check_interval(capture, before, after):
    """Ticks of functions and pairs are the difference of the two dumps; the trees add up to them."""
    earlier = {site["id"]: site for site in before["sites"]}
    later = {site["id"]: site for site in after["sites"]}
    for row in capture.functions:
        a, b = earlier[row["function"]], later[row["function"]]
        assert row["exclusive_ticks"] == b["exclusive_ticks"] - a["exclusive_ticks"]
        assert row["inclusive_ticks"] == b["inclusive_ticks"] - a["inclusive_ticks"]
        assert row["ended"] == b["ended"] - a["ended"]
        assert row["min_ticks"] <= row["p50_ticks"] <= row["p99_ticks"] <= row["max_ticks"]
        steps = sum(value for h in capture.histograms if h["function"] == row["function"] for key, value in h.items() if key.startswith("step_"))
        assert steps == row["ended"]
        assert sum(node["calls"] for node in capture.nodes if node["function"] == row["function"]) == row["calls"]
        assert sum(node["exclusive_ticks"] for node in capture.nodes if node["function"] == row["function"]) == row["exclusive_ticks"]
        assert sum(pair["calls"] for pair in capture.pairs if pair["callee"] == row["function"]) == row["calls"]


def test_two_records_at_once_see_each_its_own_time(tscap, app, record):
    first = record(app.pid, name="first.tscap")
    app.do("parent(10)")
    second = record(app.pid, name="second.tscap")
    app.do("parent(100)")
    assert second.end() == 0
    app.do("parent(1000)")
    assert first.end() == 0
    assert captures.read(second.path).calls() == {"leaf": 100, "parent": 1}
    assert captures.read(first.path).calls() == {"leaf": 1110, "parent": 3}


# ---- killed ----


def test_kill_of_the_recorder_leaves_a_file_that_opens(tscap, app, record):
    r = record(app.pid)
    app.do("parent(10); fib(5)")
    r.wait_until(lambda capture: capture.calls().get("fib"))
    assert r.end(signal.SIGKILL) == -signal.SIGKILL
    whole = r.path.read_bytes()
    shown = tscap("dump", r.path)
    assert shown.code == 0 and "was not finished" in shown.err
    assert table(shown.out) == {"leaf": 10, "parent": 1, "fib": 15}
    for cut in range(len(whole) - 1, 64, -97):
        r.path.write_bytes(whole[:cut])
        shown, second = tscap("dump", r.path), captures.read(r.path)
        if not second.looks:
            shown.is_error(1)
            continue
        assert shown.code == 0 and table(shown.out) == second.calls()
        missing = cut - second.whole
        assert not missing or "%d bytes at its end" % missing in shown.err


def test_kill_of_the_process_leaves_all_it_recorded(tscap, app, record):
    r = record(app.pid)
    app.do("parent(10); fib(5)")
    app.kill()
    assert r.end(None) == 0
    assert "has ended" in r.err
    capture = captures.read(r.path)
    assert capture.finished and capture.calls() == {"leaf": 10, "parent": 1, "fib": 15}
    assert "dead" in tscap("dump", r.path).out


def test_a_process_that_ends_takes_nothing_along(tscap, app, record, run_directory):
    """Its segment is gone; the file has what it did last."""
    r = record(app.pid)
    app.do("parent(10); fib(5)")
    app.do("parent(100)")
    assert app.end() == 0
    assert not list(run_directory.glob("%d-*.tscap" % app.pid))
    assert r.end(None) == 0
    assert captures.read(r.path).calls() == {"leaf": 110, "parent": 2, "fib": 15}


def test_a_reset_meanwhile_is_told(tscap, app, record):
    r = record(app.pid)
    app.do("parent(10)")
    r.wait_until(lambda capture: capture.calls())
    assert tscap("reset", app.pid).code == 0
    app.do("fib(5)")
    r.wait_until(lambda capture: capture.calls().get("fib"))
    assert r.end() == 6
    assert "began anew" in r.err
    assert captures.read(r.path).calls() == {"fib": 15}


# ---- attaching, and children ----


def test_attaches_and_detaches(tscap, plain, record, run_directory):
    r = record(plain.pid)
    plain.do("parent(10)")
    assert r.end() == 0
    assert captures.read(r.path).calls() == {"leaf": 10, "parent": 1}
    assert not list(run_directory.glob("%d-*.tscap" % plain.pid))


def test_rules(tscap, plain, record):
    r = record("-m", "*:leaf", "--builtins", plain.pid)
    plain.do("parent(10)")
    assert r.end() == 0
    capture = captures.read(r.path)
    assert capture.calls()["leaf"] == 10 and "parent" not in capture.calls()
    notes = [(row["key"], row["value"]) for row in capture.notes]
    assert ("match", "*:leaf") in notes and ("builtins", "yes") in notes and ("made_by", "record") in notes


def test_children_are_in_one_file(tscap, app, record):
    app.do("import os")
    fork_worker(app)
    r = record("-s", app.pid)
    app.do("parent(10)")
    work(app, "parent(20)")
    fork(app, "parent(30); fib(5)")
    r.wait_until(lambda capture: capture.calls().get("fib"))
    assert r.end() == 0
    capture = captures.read(r.path)
    assert capture.calls() == {"leaf": 60, "parent": 3, "fib": 15}
    assert len(capture.processes) == 3 and capture.total["whole_tree"] == 1
    shown = tscap("dump", r.path)
    assert shown.code == 0
    assert shown.out.startswith("process %d and 2 subprocesses (1 ended): " % app.pid)
    assert re.search(r"^ *60 .* 3  leaf \(", shown.out, re.M)
    processes = tscap("dump", r.path, "-j").json["processes"]
    assert [p["pid"] for p in processes] == [row["pid"] for row in capture.processes]


# ---- the file ----


def test_nothing_is_written_over(tscap, app, tmp_path):
    path = tmp_path / "x.tscap"
    path.write_text("mine")
    tscap("record", app.pid, "-d", "0.1", "-o", path).is_error(2)
    assert path.read_text() == "mine"
    assert tscap("record", app.pid, "-d", "0.1", "-o", path, "--force").code == 0
    assert captures.read(path).finished
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_segment_is_never_written_over(tscap, app, run_directory):
    (segment,) = run_directory.glob("%d-*.tscap" % app.pid)
    inode = segment.stat().st_ino
    tscap("record", app.pid, "-d", "0.1", "-o", segment, "--force").is_error(2)
    assert segment.stat().st_ino == inode
    app.do("parent(1)")


def test_the_name_is_that_of_the_program(tscap, app, tmp_path):
    result = subprocess.run([TSCAP, "record", "-d", "0.1", str(app.pid)], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT)
    assert result.returncode == 0 and result.stdout == ""
    assert "saved ./app-%d.tscap" % app.pid in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["app-%d.tscap" % app.pid]


def test_a_pipe(tscap, app):
    process = subprocess.run([TSCAP, "record", "-d", "0.3", "-o", "-", str(app.pid)], capture_output=True, timeout=LIMIT)
    assert process.returncode == 0
    assert captures.Capture(process.stdout).finished


def test_a_terminal_gets_no_capture(app):
    master, slave = os.openpty()
    result = subprocess.run([TSCAP, "record", "-d", "0.3", "-o", "-", str(app.pid)], stdout=slave, stderr=subprocess.PIPE, text=True, timeout=LIMIT)
    os.close(slave)
    os.close(master)
    assert result.returncode == 2 and "terminal" in result.stderr


def test_a_reader_of_the_pipe_that_goes_ends_it(app, tscap):
    process = subprocess.Popen([TSCAP, "record", "-o", "-", str(app.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    err = process.stderr.read().decode()
    assert process.wait(LIMIT) == 1 and "Broken pipe" in err
    assert not records(tscap, app)


def limit_files(bytes):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes, bytes))


def test_a_full_disk_from_the_beginning(app, record):
    r = record(app.pid, wait=False, preexec_fn=limit_files(100))
    assert r.end(None) == 1
    assert "cannot write" in r.err and "File too large" in r.err
    assert not r.path.exists()


def test_a_full_disk_later_leaves_what_is_whole(tscap, app, record):
    first = record(app.pid, name="first.tscap")
    size = first.wait_until().whole
    assert first.end() == 0
    r = record(app.pid, preexec_fn=limit_files(size + 1500), wait=False)
    assert r.end(None) == 1
    assert "cannot go on writing" in r.err
    assert captures.read(r.path).looks and tscap("dump", r.path).code == 0


def test_redacted(tscap, start_app, record):
    app = start_app("--password=tiger")
    r = record("--redact", app.pid)
    app.do("parent(3)")
    assert r.end() == 0
    capture = captures.read(r.path)
    assert capture.flags & 1
    data = b"".join(bytes(block.numbers().data) for block in capture.blocks)
    assert b"tiger" not in data and os.path.dirname(__file__).encode() not in data and b"app.py" in data
    shown = tscap("dump", r.path)
    assert "tiger" not in shown.out and "(app.py:" in shown.out


@pytest.mark.parametrize("arguments", [["x.tscap"], ["99999999"], ["-d", "0", "auto"], ["-d", "soon", "auto"], [], ["-m", "a\nb", "auto"]])
def test_wrong_usage(tscap, app, tmp_path, arguments):
    result = tscap("record", "-o", tmp_path / "y.tscap", *arguments)
    assert result.code in (2, 3), result
    assert len(result.err.splitlines()) >= 3
    assert not list(tmp_path.iterdir())
