"""Captures and conversions made in the process: what is in them is what `tscap` says of the process, and what collectors say themselves."""
import csv
import gzip
import io
import json
import os
import pathlib
import pstats
import re
import resource
import stat
import subprocess
import sys
import threading

import pytest

import timestamp_capture
from reading import TSCAP
from timestamp_capture import Capture_Error, Profile, Timestamp_Collector, _core, timestamp, timestamp_block
from timestamp_capture.stichotrope import Profiler

FORMATS = ["csv", "folded", "speedscope", "pstats", "callgrind", "pprof", "svg"]
LIMIT = 120


def tscap(*arguments):
    process = subprocess.run([TSCAP, *map(str, arguments)], capture_output=True, timeout=LIMIT)
    assert process.returncode == 0, process
    return process.stdout


def dumped(path):
    return json.loads(tscap("dump", "--json", path))


def calls(path):
    return {site["name"]: site["calls"] for site in dumped(path)["sites"] if site["calls"]}


def uncompressed(format, content):
    return gzip.decompress(content) if format == "pprof" else content


@timestamp("leaf 7")
def leaf():
    pass


@timestamp
def recursive(n):
    leaf()
    return n and recursive(n - 1)


@timestamp
def generator():
    leaf()
    yield 1
    leaf()
    yield 2


# ---- the process ----

PROGRAM = """
import os, sys, threading
import timestamp_capture
from timestamp_capture import timestamp
folder = sys.argv[1]

@timestamp
def f(n):
    return n and g(n)

@timestamp("a;b <c> 12")
def g(n):
    return f(n - 1)

timestamp_capture.start()
f(10)
thread = threading.Thread(target=f, args=(5,), name="wor;ker")
thread.start()
thread.join()
timestamp_capture.stop()
timestamp_capture.save(os.path.join(folder, "own.tscap"))
for format in %r:
    timestamp_capture.convert(os.path.join(folder, "own." + format), format)
timestamp_capture.convert(os.path.join(folder, "inverted.svg"), "svg", metric="calls", invert=True)
timestamp_capture.convert(os.path.join(folder, "calls.folded"), "folded", metric="calls")
timestamp_capture.convert(os.path.join(folder, "cpu.speedscope"), "speedscope", metric="cpu")
print("ready", flush=True)
sys.stdin.readline()
""" % (FORMATS,)


@pytest.fixture
def program(tmp_path, run_directory, monkeypatch):
    """A program that has stopped recording, by a clock whose ticks are nanoseconds: whoever looks sees the same."""
    monkeypatch.setenv("TSCAP_CLOCK", "monotonic")
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    yield process
    process.communicate("\n", timeout=LIMIT)
    assert process.returncode == 0


@pytest.mark.parametrize("format", FORMATS)
def test_a_conversion_is_that_of_the_command(program, tmp_path, format):
    own = uncompressed(format, (tmp_path / f"own.{format}").read_bytes())
    assert own == uncompressed(format, tscap("convert", program.pid, "-f", format))
    assert own == uncompressed(format, tscap("convert", tmp_path / "own.tscap", "-f", format))


def test_so_are_metrics_and_inversion(program, tmp_path):
    assert (tmp_path / "inverted.svg").read_bytes() == tscap("convert", program.pid, "-f", "svg", "--metric", "calls", "--invert")
    assert (tmp_path / "calls.folded").read_bytes() == tscap("convert", program.pid, "-f", "folded", "--metric", "calls")
    assert (tmp_path / "cpu.speedscope").read_bytes() == tscap("convert", program.pid, "-f", "speedscope", "--metric", "cpu")


def test_a_capture_is_that_of_the_command(program, tmp_path):
    tscap("save", program.pid, "-o", tmp_path / "other.tscap")
    for options in ([], ["--tree"], ["--threads"], ["--json"]):
        assert tscap("dump", *options, tmp_path / "own.tscap") == tscap("dump", *options, tmp_path / "other.tscap")
    assert calls(tmp_path / "own.tscap") == {"f": 17, "a;b <c> 12": 15}


def test_the_formats_are_those_of_the_command_but_json():
    """Each side has a table of its own."""
    refused = subprocess.run([TSCAP, "convert", "1", "-f", "none"], capture_output=True, text=True, timeout=LIMIT).stderr
    assert re.search("there are: (.*)", refused)[1].split(", ") == ["json", *FORMATS]


def test_the_extension_needs_no_library_of_theirs():
    needed = subprocess.run(["nm", "-D", "--undefined-only", _core.__file__], capture_output=True, text=True, check=True).stdout
    assert "PyLong_" in needed and not re.search(r" (ZSTD_|deflate|crc32)", needed)


# ---- files ----


@pytest.fixture
def recorded():
    with Timestamp_Collector("request") as collector:
        recursive(3)
    return collector


def test_nothing_is_written_over_unless_forced(tmp_path, recorded):
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(Capture_Error, match="the file exists; choose another name, or force=True"):
        recorded.save(path)
    with pytest.raises(Capture_Error, match="exists"):
        recorded.convert(path, "csv")
    assert path.read_text() == "precious"
    recorded.save(path, force=True)
    assert calls(path) == {"recursive": 4, "leaf 7": 4}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_a_segment_is_never_written_over(tmp_path, recorded):
    segment = pathlib.Path(timestamp_capture.status()["segment"])
    before = segment.stat()
    with pytest.raises(Capture_Error, match="the segment of a process"):
        recorded.save(segment, force=True)
    assert segment.stat().st_ino == before.st_ino


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), os.mkfifo, lambda path: path.symlink_to("elsewhere")], ids=["folder", "pipe", "link"])
def test_only_plain_files_are_replaced(tmp_path, recorded, make):
    path = tmp_path / "there"
    make(path)
    with pytest.raises(Capture_Error, match="no plain file"):
        recorded.save(path, force=True)
    assert os.listdir(tmp_path) == ["there"]


def test_one_exception_says_what_went_wrong(tmp_path, recorded):
    with pytest.raises(Capture_Error, match="cannot write .*/nowhere/file: No such file or directory; choose") as raised:
        recorded.save(tmp_path / "nowhere" / "file")
    assert isinstance(raised.value.__cause__, FileNotFoundError)
    with pytest.raises(Capture_Error, match="null"):
        recorded.save("a\0b")


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path, recorded):
    path = tmp_path / "file"
    path.write_text("precious")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        for write in (lambda: recorded.save(path, force=True), lambda: recorded.convert(path, "svg", force=True)):
            with pytest.raises(Capture_Error, match="File too large"):
                write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text() == "precious" and os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("path", ["file", pathlib.Path("file"), b"file"], ids=["str", "Path", "bytes"])
def test_paths_are_of_any_kind(tmp_path, recorded, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    if isinstance(path, bytes):
        with pytest.raises(TypeError, match="str or Path"):
            recorded.save(path)
        return
    recorded.save(path)
    assert calls(tmp_path / "file") == {"recursive": 4, "leaf 7": 4}


@pytest.mark.parametrize(
    "arguments, why",
    [
        ({"format": "html"}, '"html" is no format: choose one of csv, folded, speedscope, pstats, callgrind, pprof, svg'),
        ({"format": "csv", "metric": "cpu"}, "csv has all metrics: leave metric out"),
        ({"format": "pstats", "metric": "calls"}, 'metric of pstats must be "wall" or "cpu", not "calls"'),
        ({"format": "svg", "metric": "time"}, 'metric of svg must be "wall", "cpu" or "calls", not "time"'),
        ({"format": "folded", "invert": True}, "folded cannot be inverted: svg can"),
    ],
)
def test_arguments_that_cannot_be_meant(tmp_path, recorded, arguments, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        recorded.convert(tmp_path / "file", **arguments)
    assert os.listdir(tmp_path) == []


def test_cpu_time_that_nobody_measured(recorded):
    with pytest.raises(Capture_Error, match='no CPU time was measured .*choose metric="wall"'):
        recorded.to_folded("cpu")


# ---- at any time ----


def test_from_many_threads_while_others_record(tmp_path):
    stop, errors = threading.Event(), []

    def work():
        while not stop.is_set():
            recursive(20)

    def save(number):
        try:
            for i in range(5):
                timestamp_capture.save(tmp_path / "same", force=True)
                timestamp_capture.save(tmp_path / f"{number}-{i}")
                timestamp_capture.convert(tmp_path / f"{number}-{i}.svg", "svg")
        except BaseException as error:
            errors.append(error)

    timestamp_capture.start()
    try:
        workers = [threading.Thread(target=work) for _ in range(2)]
        savers = [threading.Thread(target=save, args=(number,)) for number in range(3)]
        for thread in workers + savers:
            thread.start()
        for thread in savers:
            thread.join()
    finally:
        stop.set()
        for thread in workers:
            thread.join()
        timestamp_capture.stop()
        timestamp_capture.reset()
    assert errors == []
    names = sorted(os.listdir(tmp_path))
    assert len(names) == 31 and not any(name.startswith(".") for name in names)
    assert set(calls(tmp_path / "same")) >= {"recursive", "leaf 7"} and set(calls(tmp_path / "2-4")) >= {"recursive", "leaf 7"}


FORKS = """
import os, sys
import timestamp_capture
from timestamp_capture import timestamp, Timestamp_Collector

@timestamp
def f(): pass

timestamp_capture.start()
collector = Timestamp_Collector("parent's")
with collector:
    f(); f()
child = os.fork()
if child == 0:
    timestamp_capture.start()
    f(); f(); f()
    timestamp_capture.save(sys.argv[1])
    collector.save(sys.argv[2])
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_forked_child_saves_its_own(tmp_path, run_directory):
    subprocess.run([sys.executable, "-c", FORKS, str(tmp_path / "process"), str(tmp_path / "collector")], check=True, timeout=LIMIT)
    assert calls(tmp_path / "process")["f"] == 3
    assert calls(tmp_path / "collector") == {}


PURE = """
import sys
from timestamp_capture import Capture_Error, Timestamp_Collector, save
collector = Timestamp_Collector()
for attempt in (lambda: save(sys.argv[1]), lambda: collector.save(sys.argv[1]), collector.to_csv):
    try:
        attempt()
    except Capture_Error as error:
        print(error)
"""


def test_without_the_compiled_recorder_it_says_so(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", PURE, str(tmp_path / "file")], env={**os.environ, "TSCAP_PURE": "1"}, capture_output=True, text=True, check=True
    )
    why = "captures and conversions need the compiled recorder: TSCAP_PURE is set"
    cannot = [f"cannot write {tmp_path / 'file'}: {why}"]
    assert run.stdout.splitlines() == [*cannot, *cannot, f"cannot convert to csv: {why}"]
    assert os.listdir(tmp_path) == []


# ---- collectors ----


def rows(collector):
    return {row["name"]: row for row in csv.DictReader(io.StringIO(collector.to_csv()))}


def test_a_collector_has_what_it_says_of_itself(recorded, tmp_path):
    found = rows(recorded)
    for name, count, inclusive, exclusive, least, most in recorded.timings():
        row = found[name]
        assert [int(row[key]) for key in ("calls", "ended", "inclusive_ns", "exclusive_ns", "min_ns", "max_ns")] == [
            count, count, inclusive, exclusive, least, most,
        ]  # fmt: skip
    assert int(found["recursive"]["primitive_calls"]) == 1 and int(found["leaf 7"]["primitive_calls"]) == 4
    recorded.save(tmp_path / "file")
    document = dumped(tmp_path / "file")
    assert [consumer["name"] for consumer in document["view"]["consumers"]] == ["request"] and document["complete"]
    assert sum(thread["roots_ticks"] for thread in document["threads"]) == sum(site["exclusive_ticks"] for site in document["sites"])


def paths(text):
    return {line.rpartition(" ")[0].partition(";")[2]: int(line.rpartition(" ")[2]) for line in text.splitlines()}


def test_its_paths_are_those_of_its_tree(recorded):
    own = paths(recorded.to_folded())
    module, path = __name__, ""
    expected = {}

    def visit(path, node):
        name = module + "." + node.name.replace(" 7", r"\x207")
        path = f"{path};{name}" if path else name
        expected[path] = expected.get(path, 0) + node.self_ns
        for child in node.children:
            visit(path, child)

    for root in recorded.build_call_tree():
        visit(path, root)
    assert set(own) == set(expected) and len(own) == 8
    assert all(abs(own[path] - ns) <= 2 for path, ns in expected.items())  # each is rounded by itself
    assert paths(recorded.to_folded("calls")) == {path: 1 for path in expected}


def test_threads_blocks_and_what_waits(tmp_path):
    with Timestamp_Collector("all", propagate=True) as collector:
        with timestamp_block("block"):
            leaf()
        thread = threading.Thread(target=recursive, args=(2,), name="worker")
        thread.start()
        thread.join()
        going = generator()
        next(going)
        collector.save(tmp_path / "inside")
        list(going)
    collector.save(tmp_path / "after")
    inside, after = dumped(tmp_path / "inside"), dumped(tmp_path / "after")
    assert [thread["name"] for thread in after["threads"]] == ["MainThread", "worker"]
    waiting = {site["name"]: (site["calls"], site["open"], site["suspended"]) for site in inside["sites"] if site["calls"]}
    assert waiting["generator"] == (1, 1, 1) and inside["session"]["running"] and not after["session"]["running"]
    done = {site["name"]: site for site in after["sites"] if site["calls"]}
    assert {name: (site["calls"], site["open"]) for name, site in done.items()} == {
        "block": (1, 0), "leaf 7": (6, 0), "recursive": (3, 0), "generator": (1, 0)
    }  # fmt: skip
    assert done["generator"]["elapsed_ns"] > done["generator"]["inclusive_ns"] and done["generator"]["ended"] == 1
    assert done["block"]["kind"] == "block"
    elapsed = {name: ns for name, ns, *_ in collector.elapsed_times()}
    assert all(abs(site["elapsed_ns"] - elapsed[name]) <= 2 for name, site in done.items())


def test_exceptions_are_counted(tmp_path):
    @timestamp("fails")
    def fails():
        raise KeyError

    with Timestamp_Collector() as collector:
        with pytest.raises(KeyError):
            fails()
    assert rows(collector)["fails"]["raised"] == "1"


def test_entries_that_were_dropped_are_in_the_sums(tmp_path):
    with Timestamp_Collector("short", max_entries=7) as collector:
        for _ in range(100):
            recursive(1)
    collector.save(tmp_path / "file")
    found = rows(collector)
    for name, count, inclusive, exclusive, *_ in collector.timings():
        assert [int(found[name][key]) for key in ("calls", "inclusive_ns", "exclusive_ns", "open")] == [count, inclusive, exclusive, 0]
    document = dumped(tmp_path / "file")
    assert document["losses"]["unpathed"] == 400 - 4 and not document["complete"]
    assert sum(thread["roots_ticks"] for thread in document["threads"]) == sum(site["exclusive_ticks"] for site in document["sites"])
    pairs = {}
    for pair in document["pairs"]:
        pairs[pair["callee"]] = pairs.get(pair["callee"], 0) + pair["calls"]
    assert pairs == {site["id"]: site["calls"] for site in document["sites"] if site["calls"]}


def test_an_empty_collector(tmp_path):
    collector = Timestamp_Collector("none")
    collector.save(tmp_path / "file")
    assert calls(tmp_path / "file") == {} and collector.to_folded() == "" and "</svg>" in collector.to_svg()


PPROF_TIME = re.compile(rb"\x48[\x80-\xff]{8}[\x01-\x7f]")  # field 9, time_nanos: the ticks' length is measured anew each time, so it varies by some ns


def comparable(format, content):
    content = uncompressed(format, content.encode() if isinstance(content, str) else content)
    return PPROF_TIME.sub(b"", content, count=1) if format == "pprof" else content


def test_texts_and_files_are_the_same(recorded, tmp_path):
    made = {
        "csv": recorded.to_csv, "folded": recorded.to_folded, "svg": recorded.to_svg, "callgrind": recorded.to_callgrind,
        "pstats": recorded.to_pstats, "pprof": recorded.to_pprof,
    }  # fmt: skip
    recorded.convert(tmp_path / "speedscope", "speedscope")
    assert json.loads((tmp_path / "speedscope").read_bytes())["profiles"][0]["type"] == "sampled"
    for format, text in made.items():
        for _ in range(5):  # a time that lies between two ns may be rounded either way
            content = text()
            recorded.convert(tmp_path / format, format, force=True)
            written = (tmp_path / format).read_bytes()
            if comparable(format, content) == comparable(format, written):
                break
        assert comparable(format, content) == comparable(format, written) and written


# ---- other front ends ----


def counted(path):
    return {function[2]: counts[1] for function, counts in pstats.Stats(str(path)).stats.items()}


def test_a_profile_is_of_its_thread(tmp_path):
    def other():
        return recursive(5)

    with Profile(builtins=False) as profile:
        thread = threading.Thread(target=other)
        recursive(2)
        thread.start()
        thread.join()
    profile.save(tmp_path / "file")
    profile.convert(tmp_path / "stats", "pstats")
    found = counted(tmp_path / "stats")
    assert found["leaf 7"] == found["recursive"] == 3 and "other" not in found
    assert calls(tmp_path / "file")["recursive"] == 3


def test_a_profile_that_recorded_nothing(tmp_path):
    with pytest.raises(Capture_Error, match="nothing was recorded yet"):
        Profile().save(tmp_path / "file")
    assert os.listdir(tmp_path) == []


def test_a_profiler_has_its_own(tmp_path):
    profiler = Profiler("shop")

    @profiler.track(0, "sale")
    def sale():
        with profiler.block(1, "till"):
            leaf()

    for _ in range(3):
        sale()
    profiler.save(tmp_path / "file")
    assert calls(tmp_path / "file") == {"sale": 3, "till": 3}
    assert [consumer["name"] for consumer in dumped(tmp_path / "file")["view"]["consumers"]] == ["shop"]
    assert {row["name"] for row in csv.DictReader(io.StringIO(profiler.to_csv()))} == {"sale", "till"}
