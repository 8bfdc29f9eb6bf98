"""`tscap tracks`: what it shows of Profilers, and the switches that it sets in another process."""
import os
import sys

import jsonschema
import pytest

from conftest import HERE, schema


@pytest.fixture
def start_profilers(start_program):
    def start(**environment):
        program = start_program(sys.executable, str(HERE / "tracks_app.py"), env={**os.environ, **environment})
        program.expect("ready")
        return program

    return start


@pytest.fixture
def profilers(start_profilers):
    return start_profilers()


def listed(tscap, pid):
    document = tscap("tracks", "--json", pid).json
    jsonschema.validate(document, schema("tracks"))
    return document["profilers"]


def tracks_of(tscap, pid, name="MyApp"):
    """{id: (enabled, {block: hits})} of the first profiler of that name."""
    profiler = next(profiler for profiler in listed(tscap, pid) if profiler["name"] == name)
    return {track["id"]: (track["enabled"], {block["name"]: block["hits"] for block in track["blocks"]}) for track in profiler["tracks"]}


def numbers(tscap, pid):
    return [profiler["number"] for profiler in listed(tscap, pid)]


def rows(tscap, pid):
    """Of the table, by two blanks or more."""
    return [" ".join(line.split()) for line in tscap("tracks", pid).out.splitlines()]


def check_done(result, *notes):
    assert result.code == 0 and result.out == "", result
    assert result.err.splitlines() == ["tscap: " + note for note in notes]


# ---- what is shown ----


def test_profilers_tracks_and_blocks(tscap, profilers):
    one, two, three = numbers(tscap, profilers.pid)
    profilers.do("function(), function(), block(first, 1), block(first, 1), block(first, 1)")
    profilers.do("first.set_track_name(1, 'Database'), first.set_track_enabled(10, False), block(first, 10, 'never'), other.stop()")
    assert rows(tscap, profilers.pid) == [
        "number profiler state track name switch hits block",
        "%d MyApp on 0 on 2 function (%s:12)" % (one, HERE / "tracks_app.py"),
        "%d MyApp on 1 Database on 3 query (%s:18)" % (one, HERE / "tracks_app.py"),
        "%d MyApp on 10 off 0 never (%s:18)" % (one, HERE / "tracks_app.py"),
        "%d MyApp on - - - -" % two,
        "%d a:b stopped - - - -" % three,
    ]
    (first, _, stopped) = listed(tscap, profilers.pid)
    assert (first["started"], first["global"], stopped["started"], stopped["tracks"]) == (True, True, False, [])
    assert [(track["id"], track["name"], track["enabled"]) for track in first["tracks"]] == [(0, None, True), (1, "Database", True), (10, None, False)]
    assert [block["kind"] for track in first["tracks"] for block in track["blocks"]] == ["function", "block", "block"]
    profilers.do("set_global_enabled(False)")
    assert [(profiler["started"], profiler["global"]) for profiler in listed(tscap, profilers.pid)] == [(True, False)] * 2 + [(False, False)]
    assert "stopped, all off" in tscap("tracks", profilers.pid).out
    profilers.do("set_global_enabled(True), other.start()")
    assert {(profiler["started"], profiler["global"]) for profiler in listed(tscap, profilers.pid)} == {(True, True)}


def test_hits_are_those_of_results(tscap, profilers):
    """Whatever the switches did meanwhile, and of this profiler alone."""
    profilers.do("[block(first, 2) for _ in range(5)], first.disable_track(2), block(first, 2), first.enable_track(2), block(first, 2)")
    profilers.do("block(second, 2), first.block(2, 'open').__enter__()")
    assert tracks_of(tscap, profilers.pid)[2] == (True, {"query": 6, "open": 0})
    profilers.do("assert {b.name: b.hit_count for b in first.get_results().tracks[2].blocks} == {'query': 6}")
    profilers.do("first.clear(), block(first, 2)")
    assert tracks_of(tscap, profilers.pid)[2] == (True, {"query": 1, "open": 0})


def test_a_function_is_in_the_track_of_each_profiler(tscap, profilers):
    profilers.do("second.track(4, 'mine')(function), function(), block(other, 'by name', 'block')")
    assert tracks_of(tscap, profilers.pid)[0] == (True, {"function": 1})
    (_, second, other) = listed(tscap, profilers.pid)
    assert [(track["id"], track["blocks"][0]["name"], track["blocks"][0]["hits"]) for track in second["tracks"]] == [(4, "mine", 1)]
    assert [(track["id"], track["blocks"][0]["hits"]) for track in other["tracks"]] == [("by name", 1)]


def test_a_profiler_that_is_gone_takes_its_tracks_along(tscap, profilers):
    """Others that come after it have no part in them."""
    profilers.do("import gc; gone = Profiler('gone'); gone.disable_track(3); block(gone, 3)")
    assert tracks_of(tscap, profilers.pid, "gone") == {3: (False, {"query": 0})}
    profilers.do("del gone; gc.collect(); block(first, 5); new = Profiler('new'); block(new, 6, 'other')")
    assert [profiler["name"] for profiler in listed(tscap, profilers.pid)] == ["MyApp", "MyApp", "a:b", "new"]
    assert tracks_of(tscap, profilers.pid, "new") == {6: (True, {"other": 1})}
    assert tracks_of(tscap, profilers.pid) == {0: (True, {"function": 0}), 5: (True, {"query": 1})}


def test_ids_that_are_no_small_numbers(tscap, profilers):
    profilers.do("first.set_track_name(10**30, 'many digits'), first.set_track_name(2**64 - 1, 'many bits'), first.set_track_name(9, 'x\\udc80\\x1b[1m')")
    tracks = listed(tscap, profilers.pid)[0]["tracks"]
    assert [track["id"] for track in tracks] == [0, 9, str(2**64 - 1), str(10**30)]
    assert tracks[1]["name"] == "x\\udc80?[1m"
    check_done(tscap("tracks", profilers.pid, "--disable", "%d:%d" % (numbers(tscap, profilers.pid)[0], 10**30)),
               "track %d of profiler %d (MyApp) is off" % (10**30, numbers(tscap, profilers.pid)[0]))


def test_of_a_dead_process(tscap, profilers):
    profilers.do("block(first, 1), first.disable_track(1)")
    profilers.kill()
    document = tscap("tracks", "--json", profilers.pid).json
    assert not document["alive"]
    assert tracks_of(tscap, profilers.pid) == {0: (True, {"function": 0}), 1: (False, {"query": 1})}
    tscap("tracks", profilers.pid, "--enable", "MyApp:1").is_error(3)


def test_a_child_of_fork_has_its_own(tscap, profilers, tmp_path):
    profilers.do("block(first, 1); first.disable_track(1); first.set_track_name(1, 'One')")
    profilers.do("import os; (here, come), (r, w) = os.pipe(), os.pipe()")
    profilers.do("child = os.fork(); child or (os.write(come, b'.'), os.close(w), os.read(r, 1), os._exit(0))")
    profilers.do("os.read(here, 1), open(%r, 'w').write(str(child))" % str(tmp_path / "child"))
    child = int((tmp_path / "child").read_text())
    assert [profiler["name"] for profiler in listed(tscap, child)] == ["MyApp", "MyApp", "a:b"]
    assert tracks_of(tscap, child) == {0: (True, {"function": 0}), 1: (False, {"query": 0})}
    assert tscap("tracks", child, "--enable", "MyApp:One").code == 0
    assert tracks_of(tscap, child)[1] == (True, {"query": 0})
    assert tracks_of(tscap, profilers.pid)[1] == (False, {"query": 1})
    profilers.do("os.close(w), os.waitpid(child, 0)")


def test_none(tscap, app, start_profilers):
    result = tscap("tracks", app.pid)
    assert (result.code, result.out) == (0, "") and "has no Profiler" in result.err
    assert listed(tscap, app.pid) == []
    error = tscap("tracks", app.pid, "--enable", "MyApp:0").is_error(3)
    assert "has no track 'MyApp:0'" in error.what


def test_profilers_that_record_in_python_are_not_seen(tscap, start_profilers):
    program = start_profilers(TSCAP_PURE="1")
    for switches in ([], ["--enable", "MyApp:0"]):
        error = tscap("tracks", program.pid, *switches).is_error(5)
        assert "only what of it is in Python" in error.err and "TSCAP_PURE" in error.remedy


# ---- switches ----


def test_a_switch_acts_on_all_threads(tscap, profilers):
    one, two, _ = numbers(tscap, profilers.pid)
    profilers.do("on_all_threads(function), on_all_threads(block, first, 1)")
    check_done(tscap("tracks", profilers.pid, "--disable", "%d:0" % one, "--disable", "%d:1" % one),
               "track 0 of profiler %d (MyApp) is off" % one, "track 1 of profiler %d (MyApp) is off" % one)
    profilers.do("assert not first.is_track_enabled(0) and not first.is_track_enabled(1)")
    profilers.do("on_all_threads(function), on_all_threads(block, first, 1), on_all_threads(block, first, 1, 'new')")
    assert tracks_of(tscap, profilers.pid) == {0: (False, {"function": 3}), 1: (False, {"query": 3, "new": 0})}
    check_done(tscap("tracks", profilers.pid, "--enable", "%d:1" % one), "track 1 of profiler %d (MyApp) is on" % one)
    profilers.do("on_all_threads(function), on_all_threads(block, first, 1), on_all_threads(block, first, 1, 'new')")
    assert tracks_of(tscap, profilers.pid) == {0: (False, {"function": 3}), 1: (True, {"query": 6, "new": 3})}
    profilers.do("assert not first.is_track_enabled(0) and first.is_track_enabled(1)")


def test_by_name(tscap, profilers):
    """Colons may be in all of them; an id goes before a name."""
    profilers.do("other.set_track_name('one', 'two'), other.set_track_name('two', 'a name: this')")
    number = numbers(tscap, profilers.pid)[2]

    def off(text):
        result = tscap("tracks", profilers.pid, "--json", "--disable", text)
        assert result.code == 0, result
        off = [track["id"] for track in result.json["profilers"][2]["tracks"] if not track["enabled"]]
        assert tscap("tracks", profilers.pid, *["--enable=%d:%s" % (number, each) for each in off]).code == 0
        return off

    assert off("a:b:two") == off("%d:two" % number) == off("a:b:a name: this") == ["two"]
    assert off("a:b:one") == ["one"]


def test_what_fits_several(tscap, profilers):
    profilers.do("first.set_track_name(1, 'same'), first.set_track_name(2, 'same'), block(second, 0)")
    one, two, _ = numbers(tscap, profilers.pid)
    for text, fitting in (("MyApp:0", ["%d:0" % one, "%d:0" % two]), ("%d:same" % one, ["%d:1" % one, "%d:2" % one])):
        error = tscap("tracks", profilers.pid, "--disable", text).is_error(2)
        assert [line.split()[0] for line in error.err.splitlines()[1:-1]] == fitting
        assert error.remedy == "  try: tscap tracks %d --disable %s" % (profilers.pid, fitting[0])
    assert all(track["enabled"] for profiler in listed(tscap, profilers.pid) for track in profiler["tracks"])


def test_what_there_is_not(tscap, profilers):
    one = numbers(tscap, profilers.pid)[0]
    for text in ("MyApp:7", "%d:7" % one, "4242:0", "nobody:0", "MyApp:function"):
        error = tscap("tracks", profilers.pid, "--disable", "MyApp:0", "--enable", text).is_error(3)
        assert error.what == "tscap: %d has no track '%s'" % (profilers.pid, text)
        assert "%d:0  MyApp" % one in error.err
    assert tracks_of(tscap, profilers.pid) == {0: (True, {"function": 0})}, "all or none"
    for text in ("MyApp", "", ":", "MyApp:", ":0"):
        assert "is no track" in tscap("tracks", profilers.pid, "--disable", text).is_error(2).what
    assert "on and off" in tscap("tracks", profilers.pid, "--disable", "MyApp:0", "--enable", "%d:0" % one).is_error(2).what


def test_another_switch_that_is_off_is_named(tscap, profilers):
    one = numbers(tscap, profilers.pid)[0]
    profilers.do("first.stop()")
    check_done(tscap("tracks", profilers.pid, "--enable", "MyApp:0"), "track 0 of profiler %d (MyApp) is on; its profiler is stopped" % one)
    profilers.do("set_global_enabled(False)")
    check_done(tscap("tracks", profilers.pid, "--enable", "MyApp:0"), "track 0 of profiler %d (MyApp) is on; the switch of all profilers is off" % one)


def test_a_profiler_that_is_busy_does_not_hold_up_anybody(tscap, profilers):
    """Who has its lock, for as long as it likes: nothing was done, and the program goes on."""
    profilers.do("first._lock.acquire()")
    error = tscap("tracks", profilers.pid, "--disable", "MyApp:0").is_error(1)
    assert "busy" in error.err
    profilers.do("assert first.is_track_enabled(0); first._lock.release()")
    assert tscap("tracks", profilers.pid, "--disable", "MyApp:0").code == 0
    profilers.do("assert not first.is_track_enabled(0)")


@pytest.mark.skipif(os.geteuid() != 0, reason="takes another user")
def test_of_another_user(tscap_as_nobody, profilers):
    tscap_as_nobody("tracks", profilers.pid, "--disable", "MyApp:0").is_error(4)
    profilers.do("assert first.is_track_enabled(0)")
