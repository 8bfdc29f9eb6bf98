"""ps lists, gc removes."""
import os
import socket
import time

import jsonschema
import pytest

from conftest import LIMIT, schema


def listed(result):
    """{pid: state}"""
    assert result.code == 0, result
    lines = result.out.splitlines()
    assert lines[0].split() == ["pid", "user", "python", "state", "functions", "memory", "age", "command"]
    return {int(line.split()[0]): line.split()[3] for line in lines[1:]}


def test_nobody(tscap, run_directory):
    result = tscap("ps")
    assert listed(result) == {}
    assert str(run_directory) in result.err


def test_no_directory(tscap, run_directory):
    assert tscap("ps", TSCAP_DIR=str(run_directory / "missing")).code == 0
    assert tscap("gc", TSCAP_DIR=str(run_directory / "missing")).code == 0


def test_states(tscap, start_app):
    one, two, three = start_app("one"), start_app("two"), start_app("three")
    tscap("start", two.pid)
    tscap("start", three.pid)
    tscap("stop", three.pid)
    result = tscap("ps")
    assert listed(result) == {one.pid: "dormant", two.pid: "recording", three.pid: "stopped"}
    assert "app.py two" in result.out
    assert result.err == ""


def test_the_dead_are_listed_when_asked_for(tscap, recorded):
    recorded.kill()
    result = tscap("ps")
    assert listed(result) == {}
    assert "tscap ps --all" in result.err
    assert listed(tscap("ps", "-a")) == {recorded.pid: "dead"}


def becomes_another_program(program):
    """The same process, by its pid and start time."""
    program.tell("import os; os.execvp('sleep', ['sleep', '60'])")
    deadline = time.monotonic() + LIMIT
    while open("/proc/%d/comm" % program.pid).read() != "sleep\n":
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.skipif(not os.path.exists("/proc/self/map_files"), reason="this kernel does not tell")
def test_a_process_that_became_another_program(tscap, recorded, start_app, run_directory):
    app = start_app()
    left = sorted(path.name for path in run_directory.glob("%d-*" % recorded.pid))
    assert len(left) == 2
    becomes_another_program(recorded)
    assert listed(tscap("ps")) == {app.pid: "dormant"}
    assert listed(tscap("ps", "-a")) == {app.pid: "dormant", recorded.pid: "dead"}
    result = tscap("start", recorded.pid).is_error(3)
    assert "has become another program" in result.err
    result = tscap("dump", recorded.pid)
    assert result.code == 0 and "dead; recorded for" in result.out and "app.py" in result.out
    assert tscap("dump", "auto").out.startswith("process %d:" % app.pid)
    assert sorted(tscap("gc").out.splitlines()) == [str(run_directory / name) for name in left]
    assert len(names(run_directory)) == 2
    assert tscap("start", app.pid).code == 0


def test_json(tscap, app, recorded, start_app):
    killed = start_app()
    killed.kill()
    result = tscap("ps", "--all", "--json")
    jsonschema.Draft7Validator.check_schema(schema("processes"))
    jsonschema.validate(result.json, schema("processes"))
    found = {process["pid"]: process for process in result.json["processes"]}
    assert found[recorded.pid]["state"] == "recording"
    assert found[recorded.pid]["uid"] == os.geteuid()
    assert "app.py" in found[recorded.pid]["command"]
    assert found[killed.pid]["alive"] is False
    assert "app.py" in found[killed.pid]["command"], "as it was in its life"
    assert len(tscap("ps", "--json").json["processes"]) == len(found) - 1


def names(run_directory):
    return sorted(path.name for path in run_directory.iterdir())


def test_gc_removes_what_the_dead_left(tscap, app, start_app, run_directory):
    alive = names(run_directory)
    killed = start_app()
    killed.kill()
    left = sorted(set(names(run_directory)) - set(alive))
    assert len(left) == 2
    result = tscap("gc")
    assert result.code == 0 and result.err == ""
    assert sorted(result.out.splitlines()) == [str(run_directory / name) for name in left]
    assert names(run_directory) == alive
    assert tscap("dump", app.pid).code == 0
    assert tscap("start", app.pid).code == 0
    assert tscap("gc").out == ""


def test_gc_never_touches_the_living(tscap, app, run_directory):
    """Whatever is in the file."""
    (segment,) = run_directory.glob("*.tscap")
    segment.unlink()
    segment.write_bytes(b"garbage")
    assert tscap("gc").out == ""
    assert segment.exists()
    assert len(names(run_directory)) == 2


def test_gc_leaves_alone_what_is_not_ours(tscap, run_directory):
    others = ["notes.txt", "1.tscap", "a-b.tscap", "1-2.tscap.bak", "01-2.tscap", "1-2.socket"]
    for name in others:
        (run_directory / name).touch()
    assert tscap("gc").out == ""
    assert names(run_directory) == sorted(others)


def test_gc_removes_a_socket_without_a_segment(tscap, run_directory):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(run_directory / "1-1.sock"))
    (run_directory / "1-2.tscap").touch()
    assert len(tscap("gc").out.splitlines()) == 2
    assert names(run_directory) == []


def test_gc_asks_at_the_door_first(tscap, run_directory):
    """A process of another container that shares the directory is not in our /proc, but it listens."""
    path = run_directory / "1-1.sock"
    (run_directory / "1-1.tscap").touch()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert tscap("gc").out == ""
    assert len(names(run_directory)) == 2


def test_gc_in_a_directory_that_is_not_private(tscap, run_directory):
    run_directory.chmod(0o777)
    tscap("gc").is_error(4)
    run_directory.chmod(0o700)
