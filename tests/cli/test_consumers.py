"""Consumers in status, dump and top: of processes that have any there can be (consumers.c)."""
import ctypes
import os
import re
import select
import shutil
import struct

import jsonschema
import pytest

from conftest import LIMIT, schema

HELPER = os.path.join(os.environ["TSCAP_BUILD"], "tests", "cli", "consumers")
SESSION, ATTACHED, COLLECTORS, PROFILER, YAPPI = range(1, 6)


class Peer:
    """A process that does what its lines say."""

    def __init__(self, program):
        self.program = program
        self.pid = program.pid
        program.expect("ready")
        self.do("functions 9")

    def do(self, line):
        self.program.tell(line)
        answer = self.program.process.stdout.readline().split()
        assert answer[:1] == ["done"], answer
        return answer[1:]

    def add(self, kind, name, *sites, begin=True):
        (number,) = self.do("add %d %s %s" % (kind, name, " ".join(map(str, sites))))
        if begin:
            self.do("begin " + number)
        return int(number)


@pytest.fixture
def start_peer(start_program):
    return lambda *words: Peer(start_program(HELPER, *words))


@pytest.fixture
def peer(start_peer):
    return start_peer()


@pytest.fixture
def shop(peer):
    """A session that sees 3 + 2 calls of f1 to f3, and a profiler that sees two of f2 and f3, which f4 called."""
    peer.session = peer.add(SESSION, "tscap")
    peer.do("session 1")
    peer.do("call 3 1 2 3")
    peer.shop = peer.add(PROFILER, "shop", 2, 3)
    peer.do("call 2 1 2 4 3")
    return peer


def calls(result):
    assert result.code == 0, result
    return {site["name"]: site["calls"] for site in result.json["sites"] if site["calls"]}


def dumped(tscap, pid, *options):
    return calls(tscap("dump", "--json", pid, *options))


def view_of(tscap, pid, *options):
    return tscap("dump", "--json", pid, *options).json["view"]


# ---- status ----


def listed(tscap, pid):
    """{number: columns} of the table, by two blanks or more; it stands at the end."""
    lines = tscap("status", pid).out.splitlines()
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("consumer ")) :]
    assert re.split("  +", table[0].strip()) == ["consumer", "kind", "name", "state", "since", "cleared", "calls", "selects"]
    return {int(line.split()[0]): re.split("  +", line.strip())[1:] for line in table[1:]}


def test_status_lists_consumers(tscap, shop):
    late = shop.add(YAPPI, "late", begin=False)
    shop.do("end %d" % shop.shop)
    shop.do("clear %d" % shop.session)
    shop.do("short %d" % shop.shop)
    table = listed(tscap, shop.pid)
    who = [["session", "tscap", "running"], ["profiler", "shop", "ended"], ["yappi", "late", "not begun"]]
    assert [row[:3] for row in table.values()] == who
    assert table[shop.session][4] != "-" and table[shop.shop][4] == "-", "only one was cleared"
    assert table[late][3] == "-"
    assert [row[5] for row in table.values()] == ["all", "some missing", "all"]
    assert [row[6] for row in table.values()] == ["all", "m:f2 m:f3", "all"]


def test_status_without_consumers_has_no_table(tscap, peer):
    out = tscap("status", peer.pid).out
    assert not re.search("^consumer  ", out, re.M) and "\n\n" not in out


def test_status_of_what_a_consumer_was(tscap, shop):
    shop.do("select %d 4" % shop.shop)
    assert listed(tscap, shop.pid)[shop.shop][6] == "m:f4"
    shop.do("call 1 4")
    assert dumped(tscap, shop.pid, "--consumer", "shop") == {"f2": 2, "f3": 2, "f4": 1}, "its calls of before are its still"


def test_status_json_follows_its_schema(tscap, shop):
    jsonschema.Draft7Validator.check_schema(schema("status"))
    document = tscap("status", "--json", shop.pid).json
    jsonschema.validate(document, schema("status"))
    (process,) = document["processes"]
    assert (process["pid"], process["state"], process["armed"]) == (shop.pid, "recording", None), "it has no listener"
    assert [(c["number"], c["kind"], c["running"], c["selects_all"], c["selects"]) for c in process["consumers"]] == [
        (shop.session, "session", True, True, "all"), (shop.shop, "profiler", True, False, "m:f2 m:f3")]
    shop.do("clear %d" % shop.shop)
    first, second = tscap("status", "-j", shop.pid).json["processes"][0]["consumers"]
    assert first["zero_ns"] is None and second["zero_ns"] >= second["began_ns"]


def test_status_json_of_a_dead_process(tscap, shop):
    def consumers(document):  # nanoseconds go by the clock's rate as of each look
        found = document["processes"][0]["consumers"]
        return [{key: value for key, value in consumer.items() if not key.endswith("_ns")} for consumer in found]

    before = consumers(tscap("status", "--json", shop.pid).json)
    shop.program.kill()
    document = tscap("status", "--json", shop.pid).json
    jsonschema.validate(document, schema("status"))
    assert len(before) == 2 and consumers(document) == before
    assert not document["processes"][0]["alive"]


def test_status_json_of_a_program(tscap, recorded):
    document = tscap("status", "--json", recorded.pid).json
    jsonschema.validate(document, schema("status"))
    (process,) = document["processes"]
    assert process["armed"] > 0 and process["session"]["running"] and process["functions"] >= 7


# ---- dump ----


def test_the_commands_own_are_shown_unasked(tscap, shop):
    assert dumped(tscap, shop.pid) == {"f1": 5, "f2": 5, "f3": 5, "f4": 2}
    attached = shop.add(ATTACHED, "attach", 5)
    shop.do("end %d" % shop.session)
    shop.do("call 1 4 5 6")
    assert dumped(tscap, shop.pid) == {"f1": 5, "f2": 5, "f3": 5, "f4": 2, "f5": 1}
    view = view_of(tscap, shop.pid)
    assert view["of"] == "default"
    assert [consumer["number"] for consumer in view["consumers"]] == [shop.session, attached]
    assert [consumer["pid"] for consumer in view["consumers"]] == 2 * [shop.pid]


def test_everything_is_shown_where_the_command_has_none(tscap, peer):
    peer.add(PROFILER, "a", 1)
    peer.add(PROFILER, "b", 2)
    peer.do("call 2 1 2 3")
    assert dumped(tscap, peer.pid) == {"f1": 2, "f2": 2}
    view = view_of(tscap, peer.pid)
    assert (view["of"], [consumer["name"] for consumer in view["consumers"]]) == ("everything", ["a", "b"])


@pytest.mark.parametrize("by", ["number", "name", "kind"])
def test_one_is_shown(tscap, shop, by):
    wanted = {"number": shop.shop, "name": "shop", "kind": "profiler"}[by]
    document = tscap("dump", "--json", "--consumer", wanted, shop.pid).json
    jsonschema.validate(document, schema("profile"))
    assert {site["name"]: site["calls"] for site in document["sites"] if site["calls"]} == {"f2": 2, "f3": 2}
    (consumer,) = document["view"]["consumers"]
    assert (document["view"]["of"], consumer["number"], consumer["selects"]) == ("consumer", shop.shop, "m:f2 m:f3")
    assert document["session"]["started_ns"] == consumer["began_ns"], "it speaks of this consumer"


def test_all_is_everything(tscap, shop):
    shop.do("clear %d" % shop.session)
    assert dumped(tscap, shop.pid) == {}
    assert dumped(tscap, shop.pid, "--consumer", "all") == {"f2": 2, "f3": 2}, "what nobody sees any more is gone"


def test_the_heading_names_the_view(tscap, shop):
    out = tscap("dump", shop.pid).out
    assert "\nview: %d session tscap\n" % shop.session in out
    assert "\nview: %d profiler shop\n" % shop.shop in tscap("dump", "--tree", shop.pid, "--consumer", "shop").out
    assert "\nview: everybody's calls\n" in tscap("dump", "--threads", shop.pid, "--consumer", "all").out


def test_a_single_view_is_not_named(tscap, peer):
    peer.add(SESSION, "tscap")
    peer.do("call 1 1")
    assert "view:" not in tscap("dump", peer.pid).out


def test_time_goes_to_the_nearest_caller_that_is_seen(tscap, shop):
    document = tscap("dump", "--json", "--consumer", "shop", shop.pid).json
    sites = {site["name"]: site for site in document["sites"]}
    assert sites["f2"]["exclusive_ticks"] == sites["f2"]["inclusive_ticks"] - sites["f3"]["inclusive_ticks"], "f4's is f2's"
    ids = {site["id"]: site["name"] for site in document["sites"]}
    assert {(ids.get(pair["caller"]), ids[pair["callee"]]) for pair in document["pairs"]} == {(None, "f2"), ("f2", "f3")}


def test_time_that_has_no_place_is_below_other(tscap, peer):
    """Deeper than 512 levels nobody knows who called a function that is not seen."""
    peer.add(SESSION, "tscap")
    peer.add(PROFILER, "inner", 2)
    peer.do("deep 600 1 2")
    result = tscap("dump", "--json", "--consumer", "inner", peer.pid)
    document = result.json
    assert result.code == 0 and document["view"]["unplaced_ns"] > 0
    (root,) = document["threads"][0]["roots"]
    assert root["other"] and root["exclusive_ns"] == document["view"]["unplaced_ns"]
    assert [(child["calls"], child["children"]) for child in root["children"]] == [(1, [])]
    assert {site["name"]: site["calls"] for site in document["sites"] if site["calls"]} == {"f2": 1}
    line = r"^[0-9.]+ \S+ of functions that are not in this view, called by nobody knows whom: exclusive time of \(other\) in the tree$"
    out = tscap("dump", "--tree", "--consumer", "inner", peer.pid).out
    assert re.search(line, out, re.M) and "(other paths)" in out
    assert not re.search(line, tscap("dump", peer.pid).out, re.M), "the session sees all of it"
    assert tscap("dump", "--json", peer.pid).json["view"]["unplaced_ns"] == 0


def test_several_that_fit_are_named(tscap, shop):
    other = shop.add(PROFILER, "other", 1)
    result = tscap("dump", "--consumer", "profiler", shop.pid).is_error(2)
    assert "%d  profiler shop\n" % shop.shop in result.err and "%d  profiler other\n" % other in result.err
    assert "session" not in result.err
    assert result.remedy == "  try: tscap dump %d --consumer %d" % (shop.pid, other)


@pytest.mark.parametrize("wanted", ["nobody", "77", "", "0"])
def test_what_there_is_to_choose(tscap, shop, wanted):
    result = tscap("dump", "--consumer", wanted, shop.pid).is_error(3)
    assert "%d  session tscap\n" % shop.session in result.err and "%d  profiler shop\n" % shop.shop in result.err


def test_where_nobody_wants_records(tscap, peer):
    result = tscap("dump", "--consumer", "shop", peer.pid).is_error(3)
    assert "none at all" in result.err and result.remedy == "  try: tscap dump %d" % peer.pid


def test_a_number_is_of_one_process(tscap, shop):
    result = tscap("dump", "-s", "--consumer", "1", shop.pid).is_error(2)
    assert "name or a kind" in result.err
    tscap("top", "-b", "1", "-s", "--consumer", "1", shop.pid).is_error(2)


def test_calls_that_are_missing_fail(tscap, shop):
    shop.do("short %d" % shop.shop)
    assert tscap("dump", shop.pid).code == 0, "not the session's"
    result = tscap("dump", "--consumer", "shop", shop.pid)
    assert result.code == 6 and "calls are missing that a consumer should see" in result.err


def test_after_its_death_and_in_a_copy(tscap, shop, copy_segment):
    copy = copy_segment(shop.program)
    shop.program.kill()
    for whose in shop.pid, copy:
        assert dumped(tscap, whose, "--consumer", "shop") == {"f2": 2, "f3": 2}
        assert dumped(tscap, whose) == {"f1": 5, "f2": 5, "f3": 5, "f4": 2}
    assert tscap("dump", copy, "--consumer", "nobody").is_error(3).remedy == "  try: tscap dump %s --consumer %d" % (copy, shop.shop)


# ---- top ----


class Watch:
    """top -b in the background: a table whenever it is asked for one."""

    def __init__(self, program):
        self.program = program

    def next_table(self):
        """Its heading and {name: calls}; ends at the next table's first line."""
        lines = []
        while True:
            line = self.program.process.stdout.readline()
            assert line, lines
            if line == "\n":
                break
            lines.append(line)
        found = [re.match(r" *([0-9]+) .*  (\S+) \(", line) for line in lines[2:]]
        return lines[1], {match[2]: int(match[1]) for match in found if match}

    def until(self, wanted):
        """Sums up tables until wanted(heading, sum) is true: what falls into one interval is chance."""
        total = {}
        while True:
            heading, table = self.next_table()
            for name, count in table.items():
                total[name] = total.get(name, 0) + count
            if wanted(heading, total):
                return heading, total


@pytest.fixture
def watch(start_program):
    def begin(*options):
        return Watch(start_program(os.environ["TSCAP"], "top", "-b", "100000", "-d", "0.02", *map(str, options), stderr=None))

    return begin


def test_top_shows_a_view_and_keeps_it(watch, shop):
    top = watch("--consumer", "profiler", shop.pid)
    heading, _ = top.next_table()
    assert ", view %d profiler shop, " % shop.shop in heading
    other = shop.add(PROFILER, "other")  # two fit now
    shop.do("call 4 1 2")
    assert top.until(lambda heading, total: total.get("f2", 0) >= 4)[1] == {"f2": 4}
    shop.do("remove %d" % shop.shop)
    top.until(lambda heading, total: ", view %d profiler other, " % other in heading)


def test_top_says_that_the_one_is_gone(watch, shop):
    top = watch("--consumer", shop.shop, shop.pid)
    top.next_table()
    shop.do("remove %d" % shop.shop)
    shop.do("call 2 2")
    top.until(lambda heading, total: ", view %d, which is gone, " % shop.shop in heading)
    assert top.next_table()[1] == {}


def test_top_starts_anew_with_its_view(watch, shop):
    """What others outlive is a reset for this view all the same: calls count since then, and no difference to before is shown."""
    shop.add(PROFILER, "keeper")
    top = watch(shop.pid)
    top.next_table()
    shop.do("call 50 1")
    assert top.until(lambda heading, total: total.get("f1", 0) >= 50)[1] == {"f1": 50}
    shop.do("clear %d" % shop.session)
    shop.do("call 7 1")  # fewer than before the reset: a difference would hide them
    assert top.until(lambda heading, total: total.get("f1", 0) >= 7)[1] == {"f1": 7}


def test_top_takes_no_notice_of_what_is_cleared_elsewhere(watch, shop):
    top = watch(shop.pid)
    top.next_table()
    shop.do("call 5 1")
    assert top.until(lambda heading, total: total.get("f1", 0) >= 5)[1] == {"f1": 5}
    shop.do("clear %d" % shop.shop)
    shop.do("call 2 4")
    assert top.until(lambda heading, total: total.get("f4", 0) >= 2)[1] == {"f4": 2}, "the calls before are not shown again"


def test_top_goes_over_to_the_commands_own_when_there_are_some(watch, peer):
    peer.add(PROFILER, "shop")
    peer.do("call 30 1")
    top = watch(peer.pid)
    top.next_table()
    session = peer.add(SESSION, "tscap")
    peer.do("call 3 1")
    heading, total = top.until(lambda heading, total: ", view %d session tscap, " % session in heading)
    peer.do("call 2 2")
    assert top.until(lambda heading, more: total.update(more) or more.get("f2", 0) >= 2)[1]["f2"] == 2
    assert total["f1"] <= 6, "three calls, in all or in its own view; never the thirty of before"


@pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")
def test_the_full_screen_shows_a_view_and_begins_nothing(top, shop):
    """There is no listener that could be told to begin: it is not asked to."""
    shop.do("session 0")
    t = top("--consumer", "shop", shop.pid, width=100)
    screen = t.see(r"view %d profiler shop, " % shop.shop)
    assert "stopped, view" in screen
    t.press("a")
    t.see(r"^ +2 .* f2 \(")
    assert " f1 (" not in t.see(r"^ +2 .* f3 \(")
    t.press("q")
    t.see("^exit 0")


# ---- process trees ----


@pytest.fixture
def family(start_peer, shop):
    """The shop, and a child that has a profiler of the same name, and one more."""
    child = start_peer("child")
    child.do("parent %d" % shop.pid)
    shop.child = child
    child.add(SESSION, "tscap")
    child.add(PROFILER, "shop", 3)
    child.do("call 4 1 2 3")
    return shop


def test_by_name_or_kind_in_each_process(tscap, family):
    for wanted in "shop", "profiler":
        document = tscap("dump", "-s", "--json", "--consumer", wanted, family.pid).json
        jsonschema.validate(document, schema("profile"))
        assert {site["name"]: site["calls"] for site in document["sites"] if site["calls"]} == {"f2": 2, "f3": 6}
        assert [consumer["pid"] for consumer in document["view"]["consumers"]] == [family.pid, family.child.pid]
        assert "\nview: %s of each process\n" % wanted in tscap("dump", "-s", "--consumer", wanted, family.pid).out
    assert dumped(tscap, family.pid, "-s") == {"f1": 9, "f2": 9, "f3": 9, "f4": 2}
    assert "\nview: session and attached of each process\n" in tscap("dump", "-s", family.pid).out


def test_of_a_process_without_one_nothing_is_shown(tscap, family):
    family.child.add(YAPPI, "y")
    family.child.do("call 1 5")
    assert dumped(tscap, family.pid, "-s", "--consumer", "yappi") == {"f5": 1}
    assert tscap("dump", "-s", "--consumer", "collectors", family.pid).is_error(3)


def test_several_in_one_process_of_a_family(tscap, family):
    last = family.child.add(PROFILER, "b")
    result = tscap("dump", "-s", "--consumer", "profiler", family.pid).is_error(2)
    assert result.remedy == "  try: tscap dump %d --consumer %d" % (family.child.pid, last)


def test_status_of_a_family(tscap, family):
    document = tscap("status", "-s", "--json", family.pid).json
    jsonschema.validate(document, schema("status"))
    assert [process["pid"] for process in document["processes"]] == [family.pid, family.child.pid]
    assert [len(process["consumers"]) for process in document["processes"]] == [2, 2]
    assert tscap("status", "-s", family.pid).out.count("profiler  shop") == 2


# ---- one PID opens one segment ----

IN_CLOSE_NOWRITE, IN_OPEN = 0x10, 0x20


class Opens:
    """How often a file is opened, by the kernel's account (inotify); once closed between, for equal events in a row are one."""

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self.fd >= 0

    def watch(self, path):
        assert self.libc.inotify_add_watch(self.fd, os.fsencode(path), IN_OPEN | IN_CLOSE_NOWRITE) > 0

    def count(self):
        count = 0
        while select.select([self.fd], [], [], 0)[0]:
            events = os.read(self.fd, 65536)
            for _, mask, _, _ in struct.iter_unpack("iIII", events):  # of a watched file they have no name
                count += mask & IN_OPEN != 0
        return count

    def close(self):
        os.close(self.fd)


@pytest.mark.parametrize("command", [["dump"], ["dump", "--json"], ["status"], ["top", "-b", "1", "-d", "0.01"]])
def test_one_pid_opens_one_segment(tscap, start_peer, run_directory, command):
    """Of programs that open none themselves, as those do that import timestamp_capture: they look for what others left."""
    peer, other = start_peer(), start_peer()
    (segment,) = run_directory.glob("%d-*.tscap" % peer.pid)
    (another,) = run_directory.glob("%d-*.tscap" % other.pid)
    own, others = Opens(), Opens()
    own.watch(segment)
    others.watch(another)
    assert tscap(*command, peer.pid).code == 0
    looks = 2 if command[0] == "top" else 1
    assert (own.count(), others.count()) == (looks, 0)
    own.close()
    others.close()


def test_a_file_is_opened_once(tscap, shop, copy_segment):
    copy = copy_segment(shop.program)
    opens = Opens()
    opens.watch(copy)
    assert tscap("dump", copy).code == 0
    assert opens.count() == 1
    opens.close()
