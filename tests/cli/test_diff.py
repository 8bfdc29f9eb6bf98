"""tscap diff: captures planted with known times, compared."""
import html
import json
import os
import pathlib
import random
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import jsonschema
import pytest

from conftest import LIMIT, schema

PLANT = pathlib.Path(os.environ["TSCAP_BUILD"]) / "tests" / "cli" / "plant"
MS = 1_000_000


class Planted:
    """The lines that plant.c takes."""

    def __init__(self):
        self.lines, self.functions = [], 0

    def say(self, *words):
        self.lines.append("\t".join(map(str, words)))
        return self

    def function(self, name, module="app", file="/srv/app.py", line=1):
        self.say("function", name, module, file, line)
        self.functions += 1
        return self.functions

    def call(self, depth, function, calls, ns, cpu=None):
        return self.say("call", depth, function, calls, ns, ns if cpu is None else cpu)

    def write(self, path):
        process = subprocess.run([str(PLANT), str(path)], input="\n".join(self.lines) + "\n", text=True, timeout=LIMIT)
        assert process.returncode == 0
        return path


def simple(functions, **about):
    """{name: (calls, ns)}, one below the other in no way."""
    planted = Planted()
    for word, value in about.items():
        planted.say(word, value)
    for line, (name, (calls, ns)) in enumerate(functions.items(), 10):
        planted.call(0, planted.function(name, line=line), calls, ns)
    return planted


@pytest.fixture
def plant(tmp_path):
    """Writes captures a0.tscap, a1.tscap ...: one for each of the planted."""

    def write(name, *planted):
        return [each.write(tmp_path / ("%s%d.tscap" % (name, i))) for i, each in enumerate(planted)]

    return write


def by_name(document):
    return {each["function"]["name"]: each for each in document["functions"]}


def check(result, code=0):
    assert result.code == code, result
    document = result.json
    jsonschema.validate(document, schema("diff"))
    return document


# --- numbers ---


def test_two_captures(tscap, plant):
    (a,) = plant("a", simple({"f": (100, 10 * MS), "g": (10, 80 * MS), "h": (1, MS)}))
    (b,) = plant("b", simple({"f": (100, 12 * MS), "g": (10, 80 * MS), "k": (4, 2 * MS)}))
    document = check(tscap("diff", a, b, "--json"))
    functions = by_name(document)
    assert list(functions) == ["f", "k", "g", "h"] or [each["function"]["name"] for each in document["functions"]][-1] == "h"
    f = functions["f"]
    assert f["a"]["calls"] == f["b"]["calls"] == 100
    assert (f["a"]["exclusive_ns"], f["b"]["exclusive_ns"]) == (10 * MS, 12 * MS)
    assert (f["a"]["median_per_call_ns"], f["b"]["median_per_call_ns"]) == (100_000, 120_000)
    assert f["a"]["per_call_ns"] == [100_000]
    assert f["change"] == pytest.approx(0.2) and f["growth_ns"] == 2 * MS
    assert f["p"] == 0.5 and f["outcome"] == "too_few"
    assert functions["g"]["change"] == 0
    assert functions["h"]["outcome"] == "gone" and functions["h"]["b"] is None and functions["h"]["change"] is None
    assert functions["k"]["outcome"] == "new" and functions["k"]["a"] is None
    assert document["verdict"] == "INCONCLUSIVE" and document["tested"] == 2
    assert document["captures_needed"] == 4  # of 70 ways one is less than 2.5 %, of 20 it is not


def sides(plant, slower=1.0, captures=7, functions=20, which=3):
    """Captures with noise of 2 %, always the same; in the second ones a function takes longer."""
    noise = random.Random(20)
    for side, factor in (("a", 1.0), ("b", slower)):
        yield plant(
            side,
            *[
                simple({"f%d" % i: (1000, round(10 * MS * noise.gauss(1, 0.02) * (factor if i == which else 1))) for i in range(functions)})
                for _ in range(captures)
            ],
        )


def test_seven_captures_find_what_is_slower(tscap, plant):
    a, b = sides(plant, slower=1.2)
    document = check(tscap("diff", *a, "--", *b, "--json"))
    assert document["verdict"] == "FAIL" and document["tested"] == 20
    first = document["functions"][0]
    assert first["function"]["name"] == "f3" and first["outcome"] == "slower" and first["over"]
    assert first["p"] == pytest.approx(1 / 3432) and first["q"] == pytest.approx(20 / 3432)
    assert [each["outcome"] for each in document["functions"][1:]] == ["alike"] * 19


def test_seven_captures_of_the_same_pass(tscap, plant):
    a, b = sides(plant)
    document = check(tscap("diff", "--json", *a, "--", *b))
    assert document["verdict"] == "PASS" and document["over"] == 0


def test_what_is_faster_is_no_failure(tscap, plant):
    a, b = sides(plant, slower=1.2)
    document = check(tscap("diff", "--json", "--fail-over", "1%", *b, "--", *a))
    assert document["verdict"] == "PASS"
    assert by_name(document)["f3"]["outcome"] == "faster" and document["functions"][-1]["function"]["name"] == "f3"


# --- the threshold ---


@pytest.mark.parametrize("threshold, code", [("10%", 7), ("15.5", 7), ("25%", 0), ("0%", 7)])
def test_fail_over(tscap, plant, threshold, code):
    a, b = sides(plant, slower=1.2)
    result = tscap("diff", "--json", "--fail-over", threshold, *a, "--", *b)
    document = check(result, code)
    assert document["verdict"] == ("FAIL" if code else "PASS")
    assert by_name(document)["f3"]["outcome"] == "slower"
    if code:
        assert result.what == "tscap: 1 function exceeds --fail-over" and result.remedy.startswith("  try: ")


def test_a_threshold_decides_where_there_are_too_few_captures(tscap, plant):
    (a,) = plant("a", simple({"f": (100, 10 * MS), "tiny": (10, 1000)}))
    (b,) = plant("b", simple({"f": (100, 12 * MS), "tiny": (10, 9000)}))
    document = check(tscap("diff", "--json", "--fail-over", "10%", a, b), 7)
    assert document["verdict"] == "INCONCLUSIVE" and document["over"] == 1, "what is tiny does not count"
    assert check(tscap("diff", "--json", "--fail-over", "25%", a, b))["over"] == 0
    assert check(tscap("diff", "--json", "--fail-over", "10%", b, a))["over"] == 0


def test_cpu_time(tscap, plant):
    def one(cpu):
        planted = Planted()
        return planted.call(0, planted.function("f"), 10, 10 * MS, cpu)

    (a,), (b,) = plant("a", one(5 * MS)), plant("b", one(8 * MS))
    f = by_name(check(tscap("diff", "--json", "--metric", "cpu", a, b)))["f"]
    assert f["change"] == pytest.approx(0.6) and f["a"]["exclusive_ns"] == f["b"]["exclusive_ns"] == 10 * MS
    assert by_name(check(tscap("diff", "--json", a, b)))["f"]["change"] == 0


# --- what is compared with what ---


def test_lines_folders_and_processes(tscap, plant):
    def program(folder, shift, process):
        planted = Planted().say("process", 77)
        main = planted.function("main", "__main__", folder + "/main.py", 5 + shift)
        first = planted.function("<lambda>", "app", folder + "/app.py", 20 + shift)
        second = planted.function("<lambda>", "app", folder + "/app.py", 30 + shift)
        planted.call(0, main, 1, MS).call(1, first, 5, 2 * MS).call(1, second, 7, 3 * MS)
        planted.say("thread", process)
        return planted.call(0, main, 1, MS).call(1, second, 7, 3 * MS)

    (a,), (b,) = plant("a", program("/old/tree", 0, 1)), plant("b", program("/new/tree", 10, 0))
    document = check(tscap("diff", "--json", a, b))
    assert all(each["matched_by"] == "folder" for each in document["functions"]) and len(document["functions"]) == 3
    assert {each["a"]["calls"] for each in document["functions"]} == {2, 5, 14}
    assert all(each["change"] == 0 and each["b"]["line"] == each["a"]["line"] + 10 for each in document["functions"])
    paths = document["paths"]
    names = [document["functions"][path["function"]]["a"]["line"] for path in paths]
    assert len(paths) == 3 and paths[0]["parent"] is None and [path["parent"] for path in paths[1:]] == [0, 0], "threads are one"
    assert {line: path["a"]["calls"] for line, path in zip(names, paths)} == {5: 2, 20: 5, 30: 14}
    assert paths[0]["a"]["inclusive_ns"] == paths[0]["b"]["inclusive_ns"] == 10 * MS


def test_what_captures_differ_in_is_said(tscap, plant):
    (a,) = plant("a", simple({"f": (1, MS)}, python="3.11.7", clock=2))
    (b,) = plant("b", simple({"f": (1, MS)}, python="3.13.0", lost=3).say("note", "match", "app:*").say("duration", 9 * 10**9))
    result = tscap("diff", a, b)
    assert result.code == 6 and "b0.tscap: 3 calls were lost, 0 are allowed" in result.err
    for text in ("Python: 3.11.7 (A), 3.13.0 (B)", "clock: tsc (A), monotonic (B)", "selection: what is decorated (A), --match app:* (B)", "how long was recorded", "b0.tscap: 3 calls lost"):
        assert text in result.out, result
    result = tscap("diff", "--json", "--max-loss", "3", a, b)
    differences = {each["what"]: (each["a"], each["b"]) for each in check(result)["differences"]}
    assert differences["Python"] == (["3.11.7"], ["3.13.0"])
    assert "command" not in differences


def test_a_process_and_a_capture_of_it(tscap, recorded, tmp_path):
    assert tscap("stop", recorded.pid).code == 0
    path = tmp_path / "it.tscap"
    assert tscap("save", recorded.pid, "-o", path).code == 0
    functions = by_name(check(tscap("diff", "--json", path, recorded.pid)))
    assert {name: each["b"]["calls"] for name, each in functions.items()} == {name: each["a"]["calls"] for name, each in functions.items()}
    assert functions["fib"]["b"]["calls"] == 177 and functions["fib"]["matched_by"] == "file"


# --- usage ---


@pytest.mark.parametrize(
    "arguments",
    [[], ["a"], ["a", "--", "b", "--", "c"], ["a", "--", "b", "--unknown"], ["a", "b", "c"], ["a", "--"], ["--", "a", "b", "c"], ["a", "b", "--fail-over", "x"], ["a", "b", "--fail-over", "-1%"], ["a", "b", "--fail-over", "0x10"], ["a", "b", "-f", "pprof"], ["a", "b", "--metric", "calls"], ["a", "b", "--json", "--limit", "3"]],
)
def test_wrong_usage(tscap, arguments):
    tscap("diff", *arguments).is_error(2)


def test_a_file_that_is_not_there_or_is_none(tscap, plant, tmp_path):
    (a,) = plant("a", simple({"f": (1, MS)}))
    tscap("diff", a, tmp_path / "none.tscap").is_error(3)
    (tmp_path / "odd.tscap").write_bytes(a.read_bytes()[:300])
    tscap("diff", a, tmp_path / "odd.tscap").is_error(1)


def test_nothing_in_common(tscap, plant):
    (a,), (b,) = plant("a", simple({"f": (1, MS)})), plant("b", simple({"g": (1, MS)}))
    document = check(tscap("diff", "--json", a, b))
    assert document["verdict"] == "INCONCLUSIVE" and document["tested"] == 0 and document["captures_needed"] == 0
    (a,), (b,) = plant("a", simple({})), plant("b", simple({}))
    assert check(tscap("diff", "--json", a, b))["functions"] == []
    assert tscap("diff", a, b).code == 0


def test_numbers_beyond_all_measure(tscap, plant):
    most = 2**64 - 1
    (a,), (b,) = plant("a", simple({"f": (most, most), "g": (1, 0)})), plant("b", simple({"f": (1, most), "g": (1, most)}))
    check(tscap("diff", "--json", a, a, "--", b, b))
    assert tscap("diff", a, b).code == 0


def test_output(tscap, plant, tmp_path):
    (a,) = plant("a", simple({"f": (1, MS)}))
    out = tmp_path / "out.json"
    assert tscap("diff", a, a, "--json", "-o", out).code == 0
    jsonschema.validate(json.loads(out.read_text()), schema("diff"))
    tscap("diff", a, a, "-o", out).is_error(1)
    assert tscap("diff", a, a, "-o", out, "--force").code == 0
    assert "f (/srv/app.py:10)" in out.read_text()


# --- Markdown ---


def test_markdown(tscap, plant):
    a, b = sides(plant, slower=1.2)
    lines = tscap("diff", "--markdown", "-n", "5", *a, "--", *b).out.split("\n")
    assert lines[0] == "### tscap diff: FAIL: of 20 functions tested, 1 is slower by more than 5 %, and not by chance"
    table = lines.index("|---|---:|---:|---:|---:|---:|---:|---:|---|")
    assert lines[table + 1].startswith("| **slower !** | **+") and "<code>f3</code> <sub>/srv/app.py:13</sub> |" in lines[table + 1]
    assert lines[table + 2] == ""
    assert "<details><summary>19 more functions</summary>" in lines and "15 more not shown" in lines and lines[-2] == "</details>"
    assert len([line for line in lines if line.startswith("| alike |")]) == 4


def test_markdown_of_hostile_names(tscap, plant):
    name = "a|b`c`*d*<script>_e_[x](y)@user#1&amp;\\"
    (a,), (b,) = plant("a", simple({name: (1, MS)}).say("note", "match", name)), plant("b", simple({name: (1, 2 * MS)}))
    out = tscap("diff", "--markdown", a, b).out
    rows = [line for line in out.split("\n") if "<code>" in line]
    assert len(rows) == 1 and rows[0].count("|") == 10
    code = re.search("<code>(.*)</code>", rows[0])[1]
    assert html.unescape(code) == name and re.fullmatch(r"(?:[\w ./(),-]|&#[0-9]+;)*", code) and "_" not in code
    assert not set("|`*<>@[]") & set(re.search("not the same: (.*)", out)[1])


# --- the call tree ---


def test_tree(tscap, plant):
    def program(slow, other):
        planted = Planted()
        main, f, g, h = (planted.function(name, line=line) for line, name in enumerate(["main", "f", "g", other], 1))
        planted.call(0, main, 1, MS).call(1, f, 10, slow * MS).call(2, g, 20, MS).call(1, g, 5, 9 * MS)
        return planted.call(1, h, 1, 1000)

    (a,), (b,) = plant("a", program(10, "old")), plant("b", program(30, "new"))
    lines = tscap("diff", "--tree", a, b).out.split("\n")
    start = next(i for i, line in enumerate(lines) if line.endswith("  name"))
    tree = lines[start + 1 : start + 7]
    names = [re.search(r"(\w+) \(", line) for line in tree]
    assert [name[1] for name in names] == ["main", "f", "g", "g", "old", "new"]
    assert [name.start() - lines[start].index("name") for name in names] == [0, 2, 4, 2, 2, 2]
    rows = [re.split("  +", line.strip()) for line in tree]
    assert [row[0] for row in rows] == ["+95.2 %", "+181.8 %", "+0.0 %", "+0.0 %", "-", "-"]
    assert rows[1][1:5] == ["10", "10", "11.0 ms", "31.0 ms"] and rows[4][1:5] == ["1", "-", "1.00 us", "-"]
    assert "2 more paths not shown" in tscap("diff", "-t", "-n", "4", a, b).out


# --- the picture ---


def test_picture(tscap, plant, tmp_path):
    def program(f_ns, g_ns, last, module="app"):
        planted = Planted()
        main, f, g, h = (planted.function(name, module=module, line=line) for line, name in enumerate(["main", "f<&>", "g", last], 1))
        return planted.call(0, main, 1, 10 * MS).call(1, f, 10, f_ns).call(1, g, 5, g_ns).call(1, h, 1, 2 * MS)

    (a,), (b,) = plant("a", program(10 * MS, 8 * MS, "old")), plant("b", program(20 * MS, 6 * MS, "new"))
    path = tmp_path / "diff.svg"
    assert tscap("diff", "-f", "svg", "-o", path, a, b).code == 0
    root = ElementTree.parse(path).getroot()
    space = "{http://www.w3.org/2000/svg}"
    boxes = {}
    for group in root.iter(space + "g"):
        title, rect = group.find(space + "title").text.split("\n"), group.find(space + "rect")
        boxes[title[0]] = title, rect.get("fill"), float(rect.get("width"))
    assert set(boxes) == {"all", "all threads", "app.main", "app.f<&>", "app.g", "app.new"}
    assert boxes["app.f<&>"][0][2:] == ["20.000 ms, 52.63 %", "before: 10.000 ms, +100.0 %"]
    assert boxes["app.g"][0][3] == "before: 8.000 ms, -25.0 %" and boxes["app.new"][0][3] == "before: 0 ns"
    colours = {name: tuple(map(int, re.findall("[0-9]+", fill))) for name, (_, fill, _) in boxes.items() if fill.startswith("rgb")}
    assert colours["app.f<&>"] == (240, 70, 70), "red"
    assert colours["app.g"][2] > colours["app.g"][0], "bluish"
    assert colours["app.main"][0] > colours["app.main"][2], "with what it calls it takes more"
    assert boxes["app.new"][1] == "#f3b"
    assert boxes["app.f<&>"][2] == pytest.approx(20 / 38 * boxes["app.main"][2], abs=0.02)
    assert "gone, and not drawn: 2.00 ms" in path.read_text()


@pytest.mark.parametrize("form", [[], ["--tree"]], ids=["table", "tree"])
def test_every_line_fits_the_width(tscap, form):
    capture = pathlib.Path(__file__).with_name("data") / "v1.tscap"
    lines = tscap("diff", *form, "-w", 50, capture, capture).out.splitlines()
    assert len(lines) > 6 and max(map(len, lines)) <= 50, lines
