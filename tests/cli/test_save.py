"""`tscap save`, and captures read by the command: the same as of the process itself."""
import json
import pathlib
import re
import shutil
import struct
import subprocess

import captures
import jsonschema
import pytest

from conftest import CALLS, LIMIT, TSCAP, schema
from test_family import fork, fork_worker, work

DATA = pathlib.Path(__file__).parent / "data"


@pytest.fixture
def still(start_app, tscap):
    """Times are nanoseconds, and nothing happens any more."""
    app = start_app(TSCAP_CLOCK="monotonic")
    assert tscap("start", app.pid).code == 0
    for statement in ("parent(100)", "fib(10)", "renamed()", "fail(4)", "in_thread('worker', Worker().run)"):
        app.do(statement)
    assert tscap("stop", app.pid).code == 0
    return app


@pytest.fixture
def saved(tscap, still, tmp_path):
    path = tmp_path / "saved.tscap"
    result = tscap("save", still.pid, "-o", path)
    assert result.code == 0 and result.out == "" and "saved" in result.err
    return path


@pytest.mark.parametrize("options", [[], ["-t"], ["--threads"], ["-j"], ["-n", "2"], ["-o", "calls"]], ids=lambda options: " ".join(options) or "table")
def test_a_capture_is_dumped_as_the_process_is(tscap, still, saved, options):
    process, file = tscap("dump", *options, still.pid), tscap("dump", *options, saved)
    assert process.code == file.code == 0 and file.err == ""
    assert file.out == process.out


def test_after_the_process_has_gone(tscap, still, saved):
    before = tscap("dump", "-j", saved).out
    still.end()
    assert tscap("dump", "-j", saved).out == before
    assert json.loads(before)["process"]["alive"]


def test_the_second_reader_agrees(tscap, still, saved):
    capture, document = captures.read(saved), tscap("dump", "-j", still.pid).json
    sites = {site["id"]: site for site in document["sites"]}
    assert {row["function"] for row in capture.names} == set(sites)
    for row in capture.names:
        assert all(sites[row["function"]][key] == row[key] for key in ("name", "qualname", "module", "file", "line", "track"))
    for row in capture.functions:
        site = sites[row["function"]]
        assert all(site[key] == row[key] for key in ("calls", "primitive_calls", "raised", "inclusive_ticks", "exclusive_ticks", "ended", "processes"))
        assert [site[key + "_ns"] for key in ("min", "max", "p50", "p95", "p99")] == [row[key + "_ticks"] for key in ("min", "max", "p50", "p95", "p99")]
    assert [(pair["caller"], pair["callee"], pair["calls"]) for pair in document["pairs"]] == [
        (row["caller"], row["callee"], row["calls"]) for row in capture.pairs
    ]
    assert flat(document["threads"]) == [(row["thread"], row["depth"], row["function"], row["calls"], row["inclusive_ticks"]) for row in capture.nodes]
    assert [thread["tid"] for thread in document["threads"]] == [row["tid"] for row in capture.threads]
    assert capture.total["calls"] == sum(CALLS.values())
    assert capture.finished and capture.looks == [1]


def flat(threads):
    found = []

    def visit(number, depth, nodes):
        for node in nodes:
            found.append((number, depth, node["site"], node["calls"], node["inclusive_ticks"]))
            visit(number, depth + 1, node["children"])

    for number, thread in enumerate(threads):
        visit(number, 0, thread["roots"])
    return found


def test_a_family(tscap, app, tmp_path):
    app.do("import os")
    fork_worker(app)
    assert tscap("start", "-s", app.pid).code == 0
    app.do("parent(10)")
    work(app, "parent(20)")
    fork(app, "parent(30); fib(5)")
    assert tscap("stop", "-s", app.pid).code == 0
    path = tmp_path / "family.tscap"
    assert tscap("save", "-s", app.pid, "-o", path).code == 0
    process, file = tscap("dump", "-s", app.pid), tscap("dump", path)
    assert process.code == file.code == 0
    assert re.sub(r"[0-9.]+ [num]?s\b", "T", file.out) == re.sub(r"[0-9.]+ [num]?s\b", "T", process.out)
    assert re.search(r"^ *60 .* 3  leaf \(", file.out, re.M)


def test_a_segment_file_and_one_that_was_killed(tscap, recorded, copy_segment, tmp_path):
    recorded.kill()
    for number, source in enumerate((copy_segment(recorded), recorded.pid)):
        path = tmp_path / ("%d.tscap" % number)
        assert tscap("save", source, "-o", path).code == 0
        assert captures.read(path).calls() == {**CALLS}


def test_all(tscap, start_app, tmp_path):
    apps = [start_app(), start_app()]
    for app in apps:
        assert tscap("start", app.pid).code == 0
        app.do("parent(5)")
    result = subprocess.run([TSCAP, "save", "-a"], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT)
    assert result.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted("app-%d.tscap" % app.pid for app in apps)
    for app in apps:
        assert captures.read(tmp_path / ("app-%d.tscap" % app.pid)).calls() == {"leaf": 5, "parent": 1}


@pytest.mark.parametrize("arguments", [[], ["-a", "auto"], ["-a", "-o", "x"], ["-a", "-s"], ["0"]])
def test_wrong_usage(tscap, arguments):
    tscap("save", *arguments).is_error(2)


# ---- files that are none, or not whole ----


def test_a_later_version_is_refused_by_its_number(tscap, saved):
    data = bytearray(saved.read_bytes())
    struct.pack_into("<H", data, 12, 7)
    saved.write_bytes(data)
    assert "version 7.0" in tscap("dump", saved).is_error(5).err


@pytest.mark.parametrize("length", [0, 8, 63, 64, 112])
def test_cut_before_the_first_look(tscap, saved, length):
    saved.write_bytes(saved.read_bytes()[:length])
    tscap("dump", saved).is_error(1)


def test_commands_that_tell_a_process_something_refuse_a_file(tscap, saved):
    for command in ("top", "start", "stop", "record"):
        assert tscap(command, saved).code == 2, command


def test_gc_leaves_captures_alone(tscap, still, saved, run_directory):
    """Also one that is called like the segment of a process that has ended."""
    path = run_directory / "99999999-1.tscap"
    shutil.copy(saved, path)
    assert tscap("gc").code == 0
    assert path.exists()
    path.write_bytes(b"\0" * 4096)
    assert tscap("gc").code == 0
    assert not path.exists()


# ---- files of version 1 open for ever ----


@pytest.mark.parametrize("name", ["v1.tscap", "v1-uncompressed.tscap"])
def test_files_of_version_1(tscap, name):
    """Made by tests/cli/data/make_captures.c; the numbers are those that it wrote."""
    document = tscap("dump", "-j", DATA / name).json
    capture = captures.read(DATA / name)
    assert capture.finished and capture.major == 1
    assert [site["id"] for site in document["sites"]] == [1, 3, 5, 7, 9]
    assert [site["calls"] for site in document["sites"]] == [100000, 101000, 102000, 0, 104000]
    assert [site["inclusive_ticks"] for site in document["sites"]] == [100900, 101900, 102900, 0, 104900]
    assert [(pair["caller"], pair["callee"], pair["calls"]) for pair in document["pairs"]] == [(0, 1, 200000), (1, 3, 201000), (1, 5, 202000)]
    assert [process["pid"] for process in document["processes"]] == [100, 101]
    assert flat(document["threads"]) == [
        (0, 0, 1, 302000, 302900),
        (0, 1, 3, 303000, 303900),
        (0, 1, 5, 304000, 304900),
        (2, 0, 9, 306000, 306900),
        (2, 0, 7, 307000, 307900),
        (2, 1, 0, 308000, 308900),
    ]
    assert document["view"]["of"] == "consumer"
    assert [(seen["pid"], seen["number"], seen["kind"]) for seen in document["view"]["consumers"]] == [(101, 9, "profiler")]
    assert document["lost"] == 500 and document["process"]["command"] == "python3 /srv/app/app.py --worker 0"
    assert tscap("dump", "-t", DATA / name).out.count(";\"quoted\" (") == 5


def test_status_of_a_capture_is_that_of_its_process_then(tscap, still, saved):
    (live,) = tscap("status", "--json", still.pid).json["processes"]
    result = tscap("status", "--json", saved)
    assert result.code == 0 and result.err == ""
    jsonschema.validate(result.json, schema("status"))
    (told,) = result.json["processes"]
    of_the_segment = {"segment", "capture", "functions", "not_recordable", "armed"}
    for key in set(live) - of_the_segment - {"clock"}:
        assert told[key] == live[key], key
    assert told["capture"] == {"path": str(saved), "bytes": saved.stat().st_size} and live["capture"] is None
    assert all(told[key] is None for key in of_the_segment - {"capture"})
    text = tscap("status", saved).out
    assert re.search(r"^capture +%s \(" % saved, text, re.M) and not re.search(r"^(segment|functions|armed) ", text, re.M)
    assert "consumer" in text and re.search(r"^state +stopped$", text, re.M)


def test_status_of_a_segment_file(tscap, still):
    (live,) = tscap("status", "--json", still.pid).json["processes"]
    (file,) = tscap("status", "--json", live["segment"]["path"]).json["processes"]
    assert file["armed"] is None, "nobody is asked"
    assert {key: file[key] for key in live if key != "armed"} == {key: live[key] for key in live if key != "armed"} | {"clock": file["clock"]}


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("*.tscap")))
def test_status_of_files_of_version_1(tscap, name):
    result = tscap("status", "--json", DATA / name)
    jsonschema.validate(result.json, schema("status"))
    assert len(result.json["processes"]) == 2 and all(each["losses"] is None for each in result.json["processes"])
    assert tscap("status", DATA / name).out.count("\nconsumer ") == 1


def test_a_damaged_capture_is_called_one(tscap, app, tmp_path):
    """Whatever is wrong with it, and where: never a file of another kind."""
    path = tmp_path / "all.tscap"
    assert tscap("save", app.pid, "-o", path).code == 0
    whole = path.read_bytes()
    damaged = {"are cut or damaged": [whole[:40], whole[:20] + b"\xff" + whole[21:], whole[:8]],
               "before its first look ends": [whole[:64], whole[:70] + b"\xff" + whole[71:], whole[:len(whole) // 2]]}
    for why, files in damaged.items():
        for data in files:
            path.write_bytes(data)
            said = tscap("dump", path).is_error(1).err
            assert why in said and "segment" not in said and "try: tscap record -o elsewhere PID, or take another copy of the file" in said
