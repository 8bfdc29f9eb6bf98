"""Files for other programs, read back by those programs, or as they do: counts and totals are the profile's."""
import collections
import csv
import io
import json
import marshal
import os
import pathlib
import pstats
import pty
import re
import resource
import signal
import subprocess
import xml.etree.ElementTree as ElementTree

import jsonschema
import pytest

from conftest import CALLS, LIMIT, ROOT, TSCAP, schema
from formats import Callgrind, Pprof, read_folded

SPEEDSCOPE_SCHEMA = pathlib.Path(os.environ["TSCAP_BUILD"]).parent / "speedscope" / "file-format-schema.json"
FORMATS = ["json", "csv", "folded", "speedscope", "pstats", "callgrind", "pprof", "svg"]
BINARY = ["pstats", "pprof"]
HOSTILE = ["a;b 'c' \"d\" <e> & \\x3b,", "=1+1", "query 12", "x_[k]", "(3) z", "\u00e9 \u6f22", "</script><script>alert(1)</script>", "]]>"]


def convert(operand, name, *options):
    """The file's bytes, by standard output."""
    command = [TSCAP, "convert", str(operand), "-f", name, *options]
    process = subprocess.run(command, capture_output=True, timeout=LIMIT)
    assert process.returncode == 0 and process.stderr == b"", process
    return process.stdout


@pytest.fixture
def stopped(start_app, tscap):
    """Recorded by a clock whose ticks are nanoseconds, so that each look at it has the same numbers."""
    app = start_app(TSCAP_CLOCK="monotonic")
    assert tscap("start", app.pid).code == 0
    app.do("parent(100); fib(10); renamed(); fail(4); spin(1_000_000)")
    app.do("in_thread('wor;ker', Worker().run)")
    for name in HOSTILE:
        app.do("timestamp(%a)(lambda: leaf())()" % name)
    app.do("first, second = timestamp(eval('\\n\\nlambda: spin(1000)')), timestamp(lambda: leaf())")
    app.do("first(), second(), second()")
    assert tscap("stop", app.pid).code == 0
    return app


@pytest.fixture
def profile(stopped, tscap):
    return tscap("dump", "--json", stopped.pid).json


def called(profile):
    return [site for site in profile["sites"] if site["calls"]]


def labels(profile, with_module=True):
    """{id: name in files}, by the rule of the manual page."""
    def plain(site):
        chosen = site["name"] and not ("." + site["qualname"]).endswith("." + site["name"])
        return site["name"] if chosen or not site["qualname"] else site["qualname"]

    names = {site["id"]: ("%s." % site["module"] if with_module and site["module"] else "") + plain(site) for site in profile["sites"]}
    often = collections.Counter((names[site["id"]], "" if with_module else site["file"]) for site in profile["sites"])
    for site in profile["sites"]:
        if often[names[site["id"]], "" if with_module else site["file"]] > 1:
            names[site["id"]] += " (%s:%d)" % (os.path.basename(site["file"]), site["line"])
    often = collections.Counter(names.values())
    return {id_: name + (" #%d" % id_ if often[name] > 1 else "") for id_, name in names.items()}


def paths(profile):
    """[(thread, (name, ...), node), ...]"""
    names = labels(profile)

    def walk(thread, above, node):
        path = (*above, names[node["site"]])
        yield thread, path, node
        for child in node["children"]:
            yield from walk(thread, path, child)

    for thread in profile["threads"]:
        for root in thread["roots"]:
            yield from walk("%s (tid %d)" % (thread["name"], thread["tid"]), (), root)


def by_path(profile, key):
    return {(thread, *path): node[key] for thread, path, node in paths(profile) if node[key]}


def test_lambdas_of_one_name_are_told_apart(profile):
    names = list(labels(profile).values())
    assert len(set(names)) == len(names) and {"__main__.<lambda> (<string>:1)", "__main__.<lambda> (<string>:3)"} < set(names)


# --- what is in the files ---


def test_json_is_what_dump_shows(stopped, profile):
    document = json.loads(convert(stopped.pid, "json"))
    jsonschema.validate(document, schema("profile"))
    for part in ("sites", "threads", "pairs", "losses", "clock"):
        assert document[part] == profile[part]


def test_csv(stopped, profile):
    text = convert(stopped.pid, "csv").decode()
    assert text.count("\r\n") == text.count("\n") == len(called(profile)) + 1
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    formula = {"=1+1": "'=1+1"}
    assert rows == [
        {key: formula.get(site[key], "" if site[key] is None else str(site[key])) for key in rows[0]} for site in called(profile)
    ]
    assert {"name", "file", "line", "calls", "inclusive_ns", "exclusive_cpu_ns", "p99_ns"} <= set(rows[0])


@pytest.mark.parametrize("metric, key", [(None, "exclusive_ns"), ("wall", "exclusive_ns"), ("cpu", "exclusive_cpu_ns"), ("calls", "calls")])
def test_folded(stopped, profile, metric, key):
    found = read_folded(convert(stopped.pid, "folded", *(["--metric", metric] if metric else [])).decode())
    assert found == by_path(profile, key)
    assert any(path[0].startswith("wor;ker (tid ") for path in found)
    for name in HOSTILE:
        assert any(path[-1] == "__main__." + name for path in found), name


def test_folded_lines_mean_the_same_to_their_readers(stopped):
    """Which take the last blank before digits for the end of the path, and a suffix of a letter in brackets for a colour."""
    for line in convert(stopped.pid, "folded").decode().splitlines():
        assert re.fullmatch(r"[^ ].*[^0-9 .] +[0-9]+|.*[^ ]([0-9.]+) [0-9]+", line)
        assert not re.search(r" [0-9.]+ [0-9]+$|_\[[a-z]\](;| [0-9]+$)", line), line


@pytest.mark.parametrize("metric, key", [("wall", "exclusive_ns"), ("cpu", "exclusive_cpu_ns"), ("calls", "calls")])
def test_speedscope(stopped, profile, metric, key):
    document = json.loads(convert(stopped.pid, "speedscope", "--metric", metric))
    frames = document["shared"]["frames"]
    found = {}
    for thread in document["profiles"]:
        assert (thread["type"], thread["unit"]) == ("sampled", "none" if metric == "calls" else "nanoseconds")
        assert thread["startValue"] == 0 and thread["endValue"] == sum(thread["weights"])
        assert len(thread["samples"]) == len(thread["weights"])
        for path, weight in zip(thread["samples"], thread["weights"]):
            found[(thread["name"], *(frames[i]["name"] for i in path))] = weight
    assert found == by_path(profile, key)
    files = {frame["name"]: (frame.get("file"), frame.get("line")) for frame in frames}
    assert files == {**{name: (site["file"], site["line"]) for name, site in zip(labels(profile).values(), profile["sites"])}, "(other paths)": (None, None)}


def test_speedscope_by_its_schema(stopped):
    if not SPEEDSCOPE_SCHEMA.exists():
        pytest.skip("speedscope's schema is not here: `make check-speedscope` fetches it")
    validator = jsonschema.Draft7Validator(json.loads(SPEEDSCOPE_SCHEMA.read_text()))
    document = json.loads(convert(stopped.pid, "speedscope"))
    validator.validate(document)
    sampled = validator.evolve(schema={**validator.schema, "$ref": "#/definitions/FileFormat.SampledProfile"})
    for profile in document["profiles"]:
        sampled.validate(profile)
    del document["profiles"][0]["weights"]
    assert not sampled.is_valid(document["profiles"][0])


def seconds(ns):
    return ns / 1e9


@pytest.mark.parametrize("metric, own, all_of_it", [("wall", "exclusive_ns", "inclusive_ns"), ("cpu", "exclusive_cpu_ns", "cpu_ns")])
def test_pstats(stopped, profile, tmp_path, metric, own, all_of_it):
    path = tmp_path / "out.pstats"
    path.write_bytes(convert(stopped.pid, "pstats", "--metric", metric))
    stats = pstats.Stats(str(path), stream=io.StringIO())
    sites = {site["id"]: site for site in called(profile)}
    keys = {key: (sites[key]["file"], sites[key]["line"], name) for key, name in labels_in_line(profile).items() if key in sites}
    assert {key: value[:4] for key, value in stats.stats.items()} == {
        keys[id_]: (site["primitive_calls"], site["calls"], seconds(site[own]), seconds(site[all_of_it])) for id_, site in sites.items()
    }
    callers = {(keys[p["caller"]], keys[p["callee"]]): (p["calls"], p["primitive_calls"], seconds(p[own]), seconds(p[all_of_it])) for p in profile["pairs"] if p["caller"]}
    assert {(caller, key): value for key, entry in stats.stats.items() for caller, value in entry[4].items()} == callers
    assert stats.total_calls == sum(site["calls"] for site in sites.values())
    assert stats.prim_calls == sum(site["primitive_calls"] for site in sites.values())
    stats.sort_stats("tottime").print_stats().print_callers().print_callees()
    assert "fib" in stats.stream.getvalue()


def labels_in_line(profile):
    """Names for readers that go by file and line as well."""
    bare = {id_: re.sub(r" \(app\.py:\d+\)| \(<string>:\d+\)", "", name) for id_, name in labels(profile, False).items()}
    often = collections.Counter((site["file"], site["line"], re.sub(r" #\d+$", "", bare[site["id"]])) for site in profile["sites"])
    found = {}
    for site in profile["sites"]:
        name = re.sub(r" #\d+$", "", bare[site["id"]])
        found[site["id"]] = name + (" #%d" % site["id"] if often[site["file"], site["line"], name] > 1 else "")
    return found


def test_callgrind(stopped, profile):
    found = Callgrind(convert(stopped.pid, "callgrind").decode())
    assert found.events == ["Wall", "Cpu"]
    names = labels(profile, False)
    sites = {site["id"]: (site["file"], names[site["id"]]) for site in called(profile)}
    sites[0] = ("???", "(not recorded)")
    assert found.cost == {sites[site["id"]]: [site["exclusive_ns"], site["exclusive_cpu_ns"]] for site in called(profile)}
    assert found.line == {sites[site["id"]]: site["line"] for site in called(profile)}
    assert found.calls == {(sites[p["caller"]], sites[p["callee"]]): (p["calls"], [p["inclusive_ns"], p["cpu_ns"]]) for p in profile["pairs"]}
    totals = [sum(site[key] for site in profile["sites"]) for key in ("exclusive_ns", "exclusive_cpu_ns")]
    assert [int(word) for word in found.header["totals"].split()] == totals


def test_callgrind_annotate(stopped, profile, tmp_path):
    """Sums are its own; what functions cost with what they called, too, where they are not recursive."""
    path = tmp_path / "callgrind.out"
    path.write_bytes(convert(stopped.pid, "callgrind"))

    def annotate(inclusive):
        command = ["callgrind_annotate", "--threshold=100", "--auto=no", "--inclusive=%s" % inclusive, str(path)]
        process = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env={**os.environ, "LC_ALL": "C.UTF-8"})
        assert process.returncode == 0 and process.stderr == "", process
        rows = re.findall(r"^ *([0-9,]+) \( *[0-9.]+%\) +([0-9,]+) \( *[0-9.]+%\) +(.*)$", process.stdout, re.M)
        return {name.split(":", 1)[-1]: [int(wall.replace(",", "")), int(cpu.replace(",", ""))] for wall, cpu, name in rows}

    own, inclusive = annotate("no"), annotate("yes")
    assert own["PROGRAM TOTALS"] == [sum(site[key] for site in profile["sites"]) for key in ("exclusive_ns", "exclusive_cpu_ns")]
    plain = [site for site in called(profile) if site["name"] in CALLS]
    assert len(plain) >= 5
    for site in plain:
        assert own[site["qualname"]] == [site["exclusive_ns"], site["exclusive_cpu_ns"]]
        if site["name"] != "fib":
            assert inclusive[site["qualname"]] == [site["inclusive_ns"], site["cpu_ns"]]


def test_pprof(stopped, profile):
    found = Pprof(convert(stopped.pid, "pprof"))
    assert found.types == [("calls", "count"), ("wall", "nanoseconds"), ("cpu", "nanoseconds")]
    keys = {"calls": "calls", "wall": "exclusive_ns", "cpu": "exclusive_cpu_ns"}
    expected = [
        (path, {name: node[key] for name, key in keys.items()}) for _, path, node in paths(profile) if any(node[key] for key in keys.values())
    ]
    assert [(tuple(name for name, _, _ in path), values) for path, values, _ in found.samples] == expected
    names = labels(profile)
    assert set(found.functions.values()) == {(names[site["id"]], site["file"], site["line"]) for site in profile["sites"]} | {("(other paths)", "", 0)}
    assert {tuple(sorted(labels_.items())) for _, _, labels_ in found.samples} == {
        (("pid", stopped.pid), ("thread", thread["name"]), ("tid", thread["tid"])) for thread in profile["threads"] if thread["roots"]
    }
    session = profile["session"]
    assert found.duration == session["stopped_ns"] - session["started_ns"]
    assert found.time == profile["clock"]["anchor_realtime_ns"] + session["started_ns"] - profile["clock"]["anchor_monotonic_ns"]
    assert [Pprof(convert(stopped.pid, "pprof", "--metric", metric)).default for metric in ("wall", "cpu", "calls")] == ["wall", "cpu", "calls"]


SVG = "{http://www.w3.org/2000/svg}"


def boxes(text):
    """[(depth, name, from, to), ...], and the total."""
    root = ElementTree.fromstring(text)
    found = []
    for group in root.iter(SVG + "g"):
        title, rect = group.find(SVG + "title").text, group.find(SVG + "rect")
        depth = (float(rect.get("y")) - 58) / 16
        found.append((depth, title.split("\n")[0], int(group.get("data-from")), int(group.get("data-to"))))
        assert float(rect.get("width")) >= 0.09
    return found, int(root.get("data-total"))


@pytest.mark.parametrize("metric, key", [("wall", "exclusive_ns"), ("cpu", "exclusive_cpu_ns"), ("calls", "calls")])
def test_flame_graph(stopped, profile, metric, key):
    found, total = boxes(convert(stopped.pid, "svg", "--metric", metric).decode())
    everything = by_path(profile, key)
    assert total == sum(everything.values())
    assert found[0] == (0, "all", 0, total)
    stack = []
    drawn = {}
    for depth, name, begin, end in found:
        del stack[int(depth) :]
        assert depth == len(stack)
        if stack:
            assert stack[-1][1] <= begin <= end <= stack[-1][2], "a box lies within its caller's"
        stack.append((name, begin, end))
        drawn[tuple(each for each, _, _ in stack[1:])] = end - begin
    for path, width in drawn.items():
        if path and not path[-1].endswith("narrow)"):
            below = sum(value for other, value in everything.items() if other[: len(path)] == path)
            assert width == below, path
    for above in everything:
        value = sum(value for other, value in everything.items() if other[: len(above)] == above)
        if value > total / 11000:
            assert above in drawn


def test_inverted_flame_graph(stopped, profile):
    found, total = boxes(convert(stopped.pid, "svg", "--invert").decode())
    own = collections.Counter()
    names = labels(profile)
    for site in called(profile):
        own[names[site["id"]]] += site["exclusive_ns"]
    top = {name: end - begin for depth, name, begin, end in found if depth == 1}
    assert total == sum(own.values())
    for name, value in own.items():
        if value > total / 11000:
            assert top[name] == value
    for depth in {depth for depth, *_ in found}:
        row = sorted((begin, end) for other, _, begin, end in found if other == depth)
        assert all(end <= begin for (_, end), (begin, _) in zip(row, row[1:])), "no two boxes overlap"


def test_flame_graph_needs_nothing_else_and_has_names_as_text_only(stopped):
    text = convert(stopped.pid, "svg", "--metric", "calls").decode()
    assert set(re.findall(r"https?://[^\"' <]+", text)) == {"http://www.w3.org/2000/svg"}
    assert text.count("<script") == text.count("</script>") == 1 and text.count("]]>") == 1
    assert not re.search(r"\son\w+=|href|@import|url\(", text.split("<script")[0])
    titles = [title.text for title in ElementTree.fromstring(text).iter(SVG + "title")]
    for name in HOSTILE:
        assert any(title.startswith("__main__." + name + "\n") for title in titles), name


def test_of_a_file(stopped, copy_segment):
    path = copy_segment(stopped)
    for name in FORMATS:
        assert convert(path, name, "--metric", "cpu") if name in ("folded", "svg") else convert(path, name)
    assert convert(path, "callgrind") == convert(stopped.pid, "callgrind")


def test_several_processes(start_app, tscap):
    """Threads of the same name, each with its process."""
    app = start_app(TSCAP_CLOCK="monotonic")
    assert tscap("start", app.pid).code == 0
    app.do("parent(5)")
    app.do("ends = os.pipe()")
    app.do("child = os.fork(); child or (parent(7), os.read(ends[0], 1), os._exit(0))")
    app.do("os.write(ends[1], b'.'), os.waitpid(child, 0)")
    profile = tscap("dump", "-s", "--json", app.pid).json
    pids = {process["pid"] for process in profile["processes"]}
    assert len(pids) == 2
    calls = collections.Counter()
    for _, values, thread in Pprof(convert(app.pid, "pprof", "-s")).samples:
        calls[thread["pid"]] += values["calls"]
    assert set(calls) <= pids and sum(calls.values()) == sum(site["calls"] for site in profile["sites"])
    threads = {path[0] for path in read_folded(convert(app.pid, "folded", "-s", "--metric", "calls").decode())}
    assert threads == {"process %d, MainThread (tid %d)" % (pid, pid) for pid in calls}


# --- --format, --metric, --invert ---


def test_dump_has_the_same_formats(stopped, tscap):
    for name in FORMATS[1:]:
        process = subprocess.run([TSCAP, "dump", str(stopped.pid), "--format", name], capture_output=True, timeout=LIMIT)
        assert (process.returncode, process.stderr, process.stdout) == (0, b"", convert(stopped.pid, name))
    assert tscap("dump", stopped.pid, "-f", "tree").out == tscap("dump", stopped.pid, "--tree").out
    assert tscap("dump", stopped.pid, "-f", "table").out == tscap("dump", stopped.pid).out


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["convert", "auto"], "--format is missing"),
        (["convert", "auto", "-f", "tree"], "json, csv, folded, speedscope, pstats, callgrind, pprof, svg"),
        (["dump", "auto", "-f", "perf"], "table, json, digest, tree, threads, csv, folded"),
        (["dump", "auto", "-f", "csv", "--tree"], "--tree and --format csv exclude each other"),
        (["dump", "auto", "-f", "csv", "--limit", "5"], "--limit does not go with CSV"),
        (["convert", "auto", "-f", "csv", "--metric", "wall"], "--metric does not go with CSV"),
        (["convert", "auto", "-f", "pstats", "--metric", "calls"], "wall or cpu"),
        (["convert", "auto", "-f", "svg", "--metric", "memory"], "wall, cpu, calls"),
        (["convert", "auto", "-f", "folded", "--invert"], "it is for SVG"),
        (["dump", "auto", "--metric", "cpu"], "--metric does not go with the table of functions"),
    ],
)
def test_what_does_not_go_together(tscap, arguments, said):
    assert said in tscap(*arguments).is_error(2).err


def test_without_cpu_time(start_app, tscap):
    app = start_app(TSCAP_CPU="wall")
    tscap("start", app.pid)
    app.do("parent(3)")
    assert "TSCAP_CPU" in tscap("convert", app.pid, "-f", "folded", "--metric", "cpu").is_error(1).err
    assert [name for name, _ in Pprof(convert(app.pid, "pprof")).types] == ["calls", "wall"]
    found = Callgrind(convert(app.pid, "callgrind").decode())
    assert found.events == ["Wall"] and all(len(cost) == 1 for cost in found.cost.values())
    assert {row["cpu_ns"] for row in csv.DictReader(io.StringIO(convert(app.pid, "csv").decode(), newline=""))} == {""}


def test_nothing_recorded(app, tscap, tmp_path):
    for name in FORMATS:
        result = tscap("convert", app.pid, "-f", name, "-o", tmp_path / name)
        assert result.code == 0 and "tscap start %d" % app.pid in result.err
    assert read_folded((tmp_path / "folded").read_text()) == {}
    assert json.loads((tmp_path / "speedscope").read_text())["profiles"] == []
    assert marshal.loads((tmp_path / "pstats").read_bytes()) == {}
    assert Pprof((tmp_path / "pprof").read_bytes()).samples == []
    assert boxes((tmp_path / "svg").read_text())[1] == 0


# --- where it is written ---


def test_a_file_is_replaced_only_by_force(stopped, tscap, tmp_path):
    path = tmp_path / "out.svg"
    path.write_text("mine")
    result = tscap("convert", stopped.pid, "-f", "svg", "-o", path).is_error(1)
    assert result.remedy == "  try: tscap convert %d -f svg -o %s --force" % (stopped.pid, path)
    assert path.read_text() == "mine"
    assert tscap("convert", stopped.pid, "-f", "svg", "-o", path, "--force").code == 0
    assert path.read_bytes() == convert(stopped.pid, "svg", "-o", "-")
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert os.listdir(tmp_path) == ["out.svg"]


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def small_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


@pytest.mark.parametrize("there_before", [False, True])
def test_what_cannot_be_written_whole_is_not_there(stopped, tmp_path, there_before):
    path = tmp_path / "out"
    if there_before:
        path.write_text("mine")
    for name in FORMATS:
        command = [TSCAP, "convert", str(stopped.pid), "-f", name, "-o", str(path), "--force"]
        process = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, preexec_fn=small_files)
        assert process.returncode == 1 and "cannot write %s" % path in process.stderr and "File too large" in process.stderr
        assert os.listdir(tmp_path) == (["out"] if there_before else [])
    assert not there_before or path.read_text() == "mine"


def test_what_is_converted_is_not_written_over(stopped, tscap, tmp_path):
    file, link = tmp_path / "all.tscap", tmp_path / "link"
    assert tscap("save", stopped.pid, "-o", file).code == 0
    os.link(file, link)
    before = file.read_bytes()
    for path in (file, link):
        assert "it is what is converted" in tscap("convert", file, "-f", "csv", "-o", path, "--force").is_error(2).err
    assert file.read_bytes() == before


def test_full_devices_and_missing_folders(stopped, tscap, tmp_path):
    assert "No space left" in tscap("convert", stopped.pid, "-f", "csv", "-o", "/dev/full").is_error(1).err
    assert os.path.exists("/dev/full")
    assert "No such file" in tscap("convert", stopped.pid, "-f", "csv", "-o", tmp_path / "none" / "out").is_error(1).err
    with open("/dev/full", "w") as full:
        process = subprocess.run([TSCAP, "convert", str(stopped.pid), "-f", "csv"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=LIMIT)
    assert process.returncode == 1 and "No space left" in process.stderr


def test_pipes_are_written_to_as_they_are(stopped, tscap, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with subprocess.Popen(["cat", str(tmp_path / "fifo")], stdout=subprocess.PIPE) as reader:
        assert tscap("convert", stopped.pid, "-f", "callgrind", "-o", tmp_path / "fifo").code == 0
        assert reader.stdout.read() == convert(stopped.pid, "callgrind")
    assert (tmp_path / "fifo").is_fifo()


@pytest.mark.parametrize("command", ["convert", "dump"])
def test_a_terminal_gets_no_binary(stopped, command):
    for name in FORMATS[1:]:
        master, terminal = pty.openpty()
        with os.fdopen(terminal, "w") as end:
            arguments = [TSCAP, command, str(stopped.pid), "-f", name]
            process = subprocess.Popen(arguments, stdout=end, stderr=subprocess.PIPE, text=True)
        shown = b""
        try:
            while part := os.read(master, 65536):
                shown += part
        except OSError:  # the other end is closed
            os.close(master)
        said = process.communicate(timeout=LIMIT)[1]
        if name in BINARY:
            assert process.returncode == 2 and "is a terminal" in said and "-o FILE" in said and not shown
        else:
            assert process.returncode == 0 and said == "" and shown


def test_what_is_missing_is_said_beside_the_file(start_app, tscap, tmp_path):
    """And is no reason to keep the rest back."""
    app = start_app(TSCAP_MEMORY="1")
    tscap("start", app.pid)
    app.do("for n in range(100_000): timestamp('f%d' % n)(leaf)()")
    dump = tscap("dump", app.pid)
    result = tscap("convert", app.pid, "-f", "csv", "-o", tmp_path / "out.csv")
    assert result.code == 6 and result.err == dump.err
    assert len((tmp_path / "out.csv").read_text().splitlines()) > 100


# --- the help and the manual page ---


def test_each_format_says_what_opens_it(tscap):
    text = tscap("help", "convert").out.split("Formats, and what opens them:\n")[1].split("\n\n")[0]
    assert [line.split()[0] for line in text.splitlines()] == FORMATS
    page = (ROOT / "man" / "tscap.1").read_text()
    section = re.search(r"^\.Sh FORMATS$(.*?)^\.Sh ", page, re.M | re.S)[1]
    assert re.findall(r"^\.It Cm (\w+)$", section, re.M) == FORMATS
