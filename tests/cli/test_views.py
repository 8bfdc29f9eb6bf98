"""Views of a profile: groups, callers, filters, chosen columns, folded trees; of a process and of a file alike."""
import re

import pytest

from conftest import CALLS


def table(result, number=0):
    """The rows of a table, as {header: text}, from the first line that has "name" in its last column on."""
    lines = [block for block in result.out.split("\n\n") if re.search(r"^.*\bcalls\b.*  name$", block, re.M)][number].splitlines()
    first = next(i for i, line in enumerate(lines) if line.endswith("name"))
    headers = lines[first].split()
    rows = []
    for line in lines[first + 1 :]:
        if not re.match(r"^ *[0-9]", line) or " not shown" in line:
            break
        cells = re.split(r"  +", line.strip(), maxsplit=len(headers) - 1)
        rows.append(dict(zip(headers, cells)))
    return rows


def nanoseconds(text):
    number, unit = text.split()
    return float(number) * {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[unit]


@pytest.fixture
def stopped(tscap, recorded):
    assert tscap("stop", recorded.pid).code == 0
    return recorded


@pytest.fixture(params=["process", "file"])
def operand(request, tscap, stopped, tmp_path):
    if request.param == "process":
        return stopped.pid
    path = tmp_path / "a.tscap"
    assert tscap("save", stopped.pid, "-o", path).code == 0
    return path


VIEWS = [
    [],
    ["--tree"],
    ["--threads"],
    ["--by", "module"],
    ["--by", "file"],
    ["--by", "prefix"],
    ["--callers", "leaf"],
    ["--callees", "Worker.run"],
    ["--filter", "^fib$"],
    ["--tree", "--filter", "leaf", "-c", "cpu,calls"],
    ["-c", "raised,calls"],
]


@pytest.mark.parametrize("view", VIEWS, ids=" ".join)
def test_a_file_shows_what_its_process_does(tscap, stopped, tmp_path, view):
    path = tmp_path / "a.tscap"
    assert tscap("save", stopped.pid, "-o", path).code == 0
    process, file = tscap("dump", stopped.pid, *view), tscap("dump", path, *view)
    assert process.code == file.code == 0 and process.err == file.err == ""
    body = process.out.split("\n\n", 1)[1]
    assert body == file.out.split("\n\n", 1)[1] and len(body.splitlines()) > 3
    assert tscap("report", path, *view).out == file.out


def test_groups_by_file_have_all_calls(tscap, operand):
    (row,) = table(tscap("dump", operand, "--by", "file"))
    assert row["name"].endswith("/app.py") and row["%"] == "100.0"
    assert int(row["calls"]) == sum(CALLS.values()) and int(row["functions"]) == len(CALLS)


def test_groups_by_module_have_all_calls(tscap, operand):
    """A block has a file, and no module."""
    rows = {row["name"]: row for row in table(tscap("dump", operand, "--by", "module"))}
    assert set(rows) == {"__main__", "(no module)"}
    assert {name: (int(row["calls"]), int(row["functions"])) for name, row in rows.items()} == {
        "__main__": (sum(CALLS.values()) - 1, len(CALLS) - 1),
        "(no module)": (1, 1),
    }
    assert abs(sum(float(row["%"]) for row in rows.values()) - 100) < 0.11


def test_the_inclusive_time_of_a_group_is_counted_once(tscap, operand):
    """Recursion and calls within the group do not count twice: it is what the roots of all trees took, none of which is the block."""
    profile = tscap("dump", "--json", operand).json
    roots = sum(root["inclusive_ns"] for thread in profile["threads"] for root in thread["roots"])
    sites = sum(site["inclusive_ns"] for site in profile["sites"])
    rows = {row["name"]: row for row in table(tscap("dump", operand, "--by", "module"))}
    assert abs(nanoseconds(rows["__main__"]["inclusive"]) - roots) <= roots * 0.006
    assert sites > roots * 1.1, "which sums of functions are not"


def test_prefixes_lie_within_each_other(tscap, operand):
    rows = {row["name"]: row for row in table(tscap("dump", operand, "--by", "prefix"))}
    assert {"__main__", "__main__.Worker"} <= set(rows)
    assert int(rows["__main__.Worker"]["calls"]) == 1
    assert nanoseconds(rows["__main__.Worker"]["inclusive"]) <= nanoseconds(rows["__main__"]["inclusive"])


def test_callers_and_callees(tscap, operand):
    callers = {row["name"].split()[0]: int(row["calls"]) for row in table(tscap("dump", operand, "--callers", "leaf"))}
    assert callers == {"parent": CALLS["leaf"]}
    callees = {row["name"].split()[0]: int(row["calls"]) for row in table(tscap("dump", operand, "--callees", "Worker.run"))}
    assert callees == {"parent": 1, "database": 1}
    assert "it called nothing that was recorded" in tscap("dump", operand, "--callees", "leaf").out
    recursive = {row["name"].split(" (/")[0]: int(row["calls"]) for row in table(tscap("dump", operand, "--callers", "fib"))}
    assert set(recursive) == {"fib", "(nobody that was recorded)"} and sum(recursive.values()) == CALLS["fib"]


@pytest.mark.parametrize("name", ["Worker.run", "__main__:Worker.run", "__main__.Worker.run", "run"])
def test_a_function_may_be_named_in_several_ways(tscap, operand, name):
    assert re.search(r"^callees of Worker\.run \(\S+:[0-9]+\)$", tscap("dump", operand, "--callees", name).out, re.M)


def test_a_name_that_nothing_has_lists_the_nearest(tscap, operand):
    result = tscap("dump", operand, "--callers", "fbi").is_error(1)
    assert re.search(r"^  the nearest of those that were called: fib\b", result.err, re.M)
    assert result.remedy == "  try: tscap dump --callers 'fib' %s" % operand
    assert tscap("dump", operand, "--callers", "fib").code == 0


def test_a_filter_is_on_names_not_on_paths(tscap, operand):
    result = tscap("dump", operand, "--filter", "^(fib|leaf)$")
    assert {row["name"].split()[0] for row in table(result)} == {"fib", "leaf"}
    assert "; 5 not shown (--filter)" in result.out
    assert table(tscap("dump", operand, "--filter", "app[.]py")) == []
    assert {row["name"].split()[0] for row in table(tscap("dump", operand, "--filter", "^__main__:Worker"))} == {"Worker.run"}
    everything = {row["name"]: row["%"] for row in table(tscap("dump", operand))}
    assert all(everything[row["name"]] == row["%"] for row in table(result)), "shares stay those of all"


def test_a_filtered_tree_has_the_paths_that_lead_there(tscap, operand):
    result = tscap("dump", operand, "--tree", "--filter", "^database$", "--min-share", "0")
    names = [row["name"].split(" (")[0] for row in table(result)]
    assert names == ["Worker.run", "database"], result


def test_what_is_small_is_folded_with_its_sum(tscap, operand):
    whole, folded = tscap("dump", operand, "--tree", "--min-share", "0"), tscap("dump", operand, "--tree", "--min-share", "99%")
    assert "--min-share" not in whole.out
    total = sum(int(row["calls"]) for row in table(whole))
    rows = table(folded)
    (row,) = [row for row in rows if re.match(r"\([0-9]+ paths below 99 %: --min-share\)", row["name"])]
    paths = int(re.match(r"\(([0-9]+)", row["name"]).group(1))
    assert paths + len(rows) - 1 == len(table(whole)) and sum(int(row["calls"]) for row in rows) <= total


def test_a_limit_leaves_the_costliest_paths(tscap, operand):
    rows = table(tscap("dump", operand, "--tree", "--min-share", "0"))
    kept = table(tscap("dump", operand, "--tree", "--min-share", "0", "-n", 3))
    least = min(nanoseconds(row["inclusive"]) for row in kept)
    assert len(kept) == 3 and sum(nanoseconds(row["inclusive"]) > least for row in rows) <= 3


def test_columns_are_chosen(tscap, operand):
    lines = tscap("dump", operand, "-c", "raised,calls,exclusive", "-w", 60).out.split("\n\n")[1].splitlines()
    assert lines[0].split() == ["raised", "calls", "exclusive", "name"]
    (fails,) = [line for line in lines if "fails (" in line]
    assert fails.split()[:2] == [str(CALLS["fails"])] * 2
    result = tscap("dump", operand, "-c", "calls,colour").is_error(2)
    assert "this table has calls,inclusive,exclusive,percent," in result.err
    for view in [], ["--tree"], ["--threads"], ["--by", "file"], ["--callers", "fib"]:
        listed = tscap("dump", *view, "-c", "help")
        assert listed.code == 0 and {"calls", "name"} <= {line.split()[0] for line in listed.out.splitlines()}


def test_what_does_not_go_together_is_said(tscap):
    for arguments, says in [
        (["--json", "--filter", "x"], "--filter does not go with JSON"),
        (["--json", "-c", "calls"], "--columns does not go with JSON"),
        (["--threads", "--filter", "x"], "--filter does not go with the table of threads"),
        (["--by", "module", "--tree"], "exclude each other"),
        (["--by", "colour"], "there are: module, file, prefix"),
        (["--callers", "f", "--callees", "f"], "exclude each other"),
        (["--min-share", "1"], "--min-share does not go with the table of functions"),
        (["--tree", "--min-share", "101"], "a share, as 10% or 2.5%, 0% to 100%"),
        (["--tree", "--min-share", "nan"], "a share, as 10% or 2.5%, 0% to 100%"),
        (["--filter", "a(b"], "'a(b' is not a regular expression\n  Unmatched ( or \\("),
    ]:
        assert says in tscap("dump", "auto", *arguments).is_error(2).err, arguments


def test_no_color(tscap, operand):
    assert "\033" in tscap("dump", operand, CLICOLOR_FORCE="1").out
    assert "\033" not in tscap("dump", operand, CLICOLOR_FORCE="1", NO_COLOR="1").out
