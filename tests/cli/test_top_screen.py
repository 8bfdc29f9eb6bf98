"""The full-screen top, in a real terminal: tmux on a private socket, keys sent, screen captured."""
import os
import re
import shlex
import shutil
import signal
import sys

import pytest

from conftest import TSCAP
from processes import is_gone
from terminal import eventually

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")


def state(tscap, app):
    return re.search(r"^state +(.*)$", tscap("status", app.pid).out, re.M).group(1)


def rows(screen):
    """{name: calls} of a table sorted by anything, whose first column is the calls."""
    found = re.findall(r"^ *([0-9]+) .*  (\S+) \(\S*\)$", screen, re.M)
    return {name: int(calls) for calls, name in found}


def watched(top, app, *arguments, **size):
    """A top that records, and everything since the beginning on it."""
    t = top(*arguments, app.pid, **size)
    t.see(r"recording \(begun here\)")
    t.press("a")
    t.see("^all ")
    return t


# ---- what it shows ----


def test_the_picture(tscap, app, top):
    app.do("in_background(lambda: (parent(3), time.sleep(0.001)))")
    t = top("-d", "0.2", app.pid)
    t.see(r"^ *[0-9]+ .* leaf \(")
    screen = t.see(r"recording \(begun here\)")
    lines = screen.splitlines()
    assert lines[0] == f"{app.pid} {' '.join(app.process.args)}"[:100]  # the terminal's width
    heading = ", ".join(lines[1:3])
    version = r"Python %d\.%d\.\S+" % sys.version_info[:2]
    items = r", recording \(begun here\), 1 thread, [0-9.]+ calls/s, recording costs [0-9.]+ % of a CPU, lost 0"
    assert re.fullmatch(version + items + ".*", heading), screen
    assert re.search(r"^last [0-9.]+ ms by exclusive; 2 functions$", screen, re.M)
    assert re.search("^calls  calls/s  inclusive  exclusive  +%  +mean  +CPU  (open  )?(suspended  )?name", screen, re.M)
    assert set(rows(screen)) == {"leaf", "parent"}
    assert state(tscap, app) == "recording"


def test_the_line_of_columns_is_in_reverse_video(app, top):
    t = top(app.pid)
    t.see("exclusive .*name")
    styled = t.tmux("capture-pane", "-p", "-e")
    (line,) = [line for line in styled.splitlines() if "name" in line and "calls" in line]
    assert line.startswith("\033[7mcalls")
    assert re.search(r"\033\[[0-9;]*4[0-9;]*mexclusive\033", line), "the column it is sorted by is underlined"


def test_rows_are_of_the_last_interval_sorted_by_exclusive_time(tscap, app, top):
    t = top("-d", "1.5", app.pid)
    t.see(r"begun here")
    app.do("parent(20000); Worker().run()")
    screen = t.see(r"leaf \(")
    assert rows(screen) == {"leaf": 20003, "parent": 2, "Worker.run": 1, "database": 1}
    times = re.findall(r"^ *[0-9]+ +[0-9.]+ +[0-9.]+ \w+ +([0-9.]+) (\w+) ", screen, re.M)
    exclusive = [float(number) * {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1}[unit] for number, unit in times]
    assert len(exclusive) == 4 and exclusive == sorted(exclusive, reverse=True), screen
    t.see_no("leaf")


def test_names_cannot_do_anything_to_the_terminal(app, top):
    app.do(r"evil = timestamp('e\033[2Jv\x9bi\u65e5l\n')(lambda: None)")
    t = watched(top, app, "-d", "0.2")
    app.do("evil()")
    screen = t.see(r"^ *1 .* e\?\[2Jv\?\?i日l\? \(")
    assert screen.splitlines()[0].startswith(str(app.pid))
    t.press("/", "日")
    t.see(r"1 with '日' of 1 function")
    t.press("BSpace", "V")
    t.see(r"1 with 'V' of 1 function")


def test_losses_are_shown(start_app, top):
    """There is no room for the names of so many functions."""
    app = start_app(TSCAP_MEMORY="1")
    app.do("many = [timestamp('f%d' % i + 'x' * 500)(lambda: None) for i in range(4000)]")
    t = watched(top, app, "-d", "0.2")
    app.do("[f() for f in many]")
    screen = t.see(r"^[1-9][0-9]* calls lost: no memory")
    assert re.search(r"lost [1-9]", screen)
    t.press("q")
    t.see("^exit 6$")
    assert "tscap: the profile is incomplete" in t.screen()


def test_thousands_of_functions(app, top):
    app.do("many = [timestamp('f%04d' % i)(lambda: None) for i in range(3000)]")
    t = watched(top, app, "-d", "0.2", width=80, height=24)
    app.do("[f() for f in many]")
    t.see("; 3000 functions")
    for column in ("inclusive", "calls/s", "calls", "name"):
        t.press("S")
        t.see("by %s;" % column)
    assert re.search("f0000 ", t.see("f0001 "))
    t.press("NPage")
    t.see(r"3000 functions, from number [0-9]+")
    t.press("End")
    t.see("f2999 ")
    t.press("Home")
    t.see("f0000 ")
    t.press("Down", "Down")
    t.see("from number 3")
    assert "f0001 " not in t.screen()
    t.press("/", "f29", "Enter")
    t.see("100 with 'f29' of 3000 functions")


# ---- keys ----


def test_r_counts_anew_for_this_reader_only(tscap, app, top):
    t = watched(top, app, "-d", "0.2")
    app.do("parent(10)")
    assert rows(t.see(r"^ *10 .*leaf")) == {"leaf": 10, "parent": 1}
    t.press("r")
    t.see("since r")
    app.do("parent(7)")
    assert rows(t.see(r"^ *7 .*leaf")) == {"leaf": 7, "parent": 1}
    sites = tscap("dump", app.pid, "--json").json["sites"]
    assert {s["qualname"]: s["calls"] for s in sites}["leaf"] == 17


def test_p_makes_the_picture_stand_still(app, top):
    t = watched(top, app, "-d", "0.1")
    t.press("p")
    t.see("; paused")
    app.do("parent(1000)")
    app.do("time.sleep(0.5)")
    assert "leaf" not in t.screen()
    t.press("p")
    assert rows(t.see("leaf")) == {"leaf": 1000, "parent": 1}


def test_after_a_pause_the_interval_is_the_time_since_the_picture(app, top):
    t = top("-d", "600", app.pid)
    t.see("begun here")
    t.press("p")
    t.see("; paused")
    app.do("parent(1000)")
    t.press("p")
    assert rows(t.see("leaf")) == {"leaf": 1000, "parent": 1}


def test_sorting_columns_filter_and_threads(app, top):
    t = watched(top, app, "-d", "0.2", width=140)
    app.do("parent(50); fib(5)")
    app.do("in_thread('helper', parent, 3)")
    t.see(r"^ *53 .*leaf")
    t.press("s")
    t.see("by %;")
    t.press("S", "S")
    t.see("by inclusive;")
    t.press("S", "S")
    screen = t.see("by calls;")
    assert list(rows(screen)) == ["leaf", "fib", "parent"]
    t.press("2")
    t.see_no("calls/s  inclusive")
    t.press("2")
    t.see("calls/s  inclusive")
    t.press("/", "FI")
    t.see("^/FI$")
    t.press("Enter")
    assert list(rows(t.see("1 with 'FI' of 3 functions"))) == ["fib"]
    t.press("Escape")
    t.see("; 3 functions")
    t.press("/", *"app.py", "Enter")
    t.see("0 with 'app.py' of 3 functions")  # it is on names, not on files
    t.press("Escape")
    t.see("; 3 functions")
    t.press("t")
    screen = t.see("; [0-9] threads?")
    assert re.search(r"^ *[0-9]+ +ended +4 .* helper$", screen, re.M)
    t.press("t")
    t.see("leaf")


def test_help(app, top):
    t = top("-d", "0.2", app.pid, height=40)
    t.see("begun here")
    t.press("?")
    for line in ("^Columns:", "^Up, Down ", "^PgUp, PgDn ", "^s, S ", "^1 ... 9, 0 ", "^/ ", "^t ", "^p ", "^r ", "^a ", "^q ", r"^\? ", "^ 8 open ", "^ 9 suspended ", "^ 0 elapsed ", "^   el.mean ", "^   name "):
        t.see(line)
    t.press("x")
    t.see("begun here")
    t.press("?")
    t.see("Columns:")
    t.press("q")
    t.see("exit 0")


@pytest.mark.parametrize("width, height", [(20, 5), (10, 3), (3, 2), (1, 1), (300, 100)])
def test_any_size(tscap, app, top, width, height):
    app.do("in_background(lambda: (parent(3), time.sleep(0.001)))")
    t = top("-d", "0.1", app.pid)
    t.see("leaf")
    t.resize(width, height)
    for key in ("NPage", "t", "t", "/", "l", "Escape", "?", "NPage", "?", "a"):
        t.press(key)
    if width > 1:  # a terminal of one cell scrolls when that is written: nothing can be seen
        t.see("^[0-9c]")
    t.resize(100, 24)
    t.see("^all .* by exclusive; 2 functions")
    t.press("q")
    t.see("exit 0")


def test_a_small_screen_shows_a_row(app, top):
    app.do("in_background(lambda: (parent(3), time.sleep(0.001)))")
    t = top("-d", "0.1", app.pid, width=20, height=5)
    screen = t.see(r"^ *[0-9]+ ")
    assert screen.splitlines()[0].startswith(str(app.pid))
    assert len(screen.splitlines()) <= 5 and max(map(len, screen.splitlines())) <= 20


# ---- whose recording it is ----


def leave(t):
    t.press("q")
    screen = t.see("^exit 0")
    eventually(t.is_as_before, bool)
    return screen


def test_what_it_began_it_ends(tscap, app, top):
    t = top(app.pid)
    t.see("begun here")
    assert state(tscap, app) == "recording"
    assert "tscap: stopped recording process %d" % app.pid in leave(t)
    assert state(tscap, app) == "stopped"
    again = top(app.pid)
    again.see("begun here")
    leave(again)
    assert state(tscap, app) == "stopped"


def test_it_only_looks(tscap, app, top):
    t = top("--no-start", "-d", "0.1", app.pid)
    t.see("^all|^last [^0]")
    assert "dormant" in t.screen()
    assert "tscap:" not in leave(t)
    assert state(tscap, app) == "dormant"


def test_what_others_began_goes_on(tscap, app, top):
    tscap("start", app.pid)
    t = top("-d", "0.1", app.pid)
    t.see("recording,")
    assert "begun here" not in t.screen()
    leave(t)
    assert state(tscap, app) == "recording"


def test_what_others_began_anew_goes_on(tscap, app, top):
    t = top("-d", "0.1", app.pid)
    t.see("begun here")
    tscap("stop", app.pid)
    t.see("stopped")
    tscap("start", app.pid)
    t.see("recording,")
    leave(t)
    assert state(tscap, app) == "recording"


def test_what_others_want_too_goes_on(tscap, app, top):
    t = top("-d", "0.1", app.pid)
    t.see("begun here")
    assert "already" in tscap("start", app.pid).err
    t.see("recording,")
    leave(t)
    assert state(tscap, app) == "recording"


def test_what_others_stopped_stays_so(tscap, app, top):
    t = top("-d", "0.1", app.pid)
    t.see("begun here")
    tscap("stop", app.pid)
    t.see("stopped")
    leave(t)
    assert state(tscap, app) == "stopped"


def test_a_reset_from_elsewhere(tscap, app, top):
    """Counts begin anew, and the recording is still ours."""
    t = watched(top, app, "-d", "0.2")
    app.do("parent(10)")
    t.see(r"^ *10 .*leaf")
    t.press("r")
    t.see("since r")
    app.do("parent(3)")
    t.see(r"^ *3 .*leaf")
    tscap("reset", app.pid)
    t.see_no("leaf")
    app.do("parent(5)")
    assert rows(t.see(r"^ *5 .*leaf")) == {"leaf": 5, "parent": 1}
    assert "begun here" in t.screen()
    leave(t)
    assert state(tscap, app) == "stopped"


def test_a_process_that_does_not_answer(tscap, app, top):
    app.signal(signal.SIGSTOP)
    t = top("-d", "0.1", app.pid)
    t.see("starting")
    leave(t)
    app.signal(signal.SIGCONT)
    app.do("parent(1)")
    assert state(tscap, app) == "dormant"


def test_a_process_that_cannot_be_told(tscap, app, top, run_directory):
    (socket,) = run_directory.glob("*.sock")
    socket.unlink()
    t = top(app.pid)
    screen = t.see("exit 1")
    assert re.search("^tscap: cannot start %d$" % app.pid, screen, re.M)
    eventually(t.is_as_before, bool)


def test_an_unprepared_process(top, start_program):
    program = start_program(sys.executable, "-c", "print('ready', flush=True); input()")
    program.expect("ready")
    t = top(program.pid)
    t.see("attach to it now")
    t.press("n", "Enter")
    assert "import timestamp_capture" in t.see("exit 5")


# ---- ends ----


@pytest.mark.parametrize("how", ["end", "kill"])
def test_the_last_picture_stays(app, top, how):
    t = watched(top, app, "-d", "0.1")
    app.do("parent(10)")
    t.see(r"^ *10 .*leaf")
    if how == "end":
        assert app.end() == 0
    else:
        app.kill()
    screen = t.see("^process %d has ended" % app.pid)
    assert rows(screen) == {"leaf": 10, "parent": 1}
    assert ", ended," in screen
    t.press("r", "p", "p", "s")
    assert rows(t.see("by %")) == {"leaf": 10, "parent": 1}
    leave(t)


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)])
def test_signals_end_it_well(tscap, app, top, number, code):
    t = top(app.pid)
    t.see("begun here")
    if number == signal.SIGINT:
        t.press("C-c")
    else:
        os.kill(t.child(), number)
    t.see("^exit %d$" % code)
    eventually(t.is_as_before, bool)
    assert state(tscap, app) == "stopped"


@pytest.mark.parametrize("before", ["", 'trap "" HUP;'])
def test_the_terminal_goes(tscap, app, top, before):
    t = top(app.pid, before=before)
    t.see("begun here")
    child = t.child()
    t.tmux("kill-server")
    eventually(lambda: is_gone(child), bool)
    assert state(tscap, app) == "stopped"


def test_a_terminal_that_takes_no_output(tscap, app, top):
    """^S, and still it can be ended."""
    app.do("in_background(lambda: (parent(3), time.sleep(0.001)))")
    t = top("-d", "0.01", app.pid)
    t.see("begun here")
    child = t.child()
    t.press("C-s")
    app.do("time.sleep(1)")
    os.kill(child, signal.SIGTERM)
    eventually(lambda: is_gone(child), bool)
    assert state(tscap, app) == "stopped"


def test_stopped_by_the_shell_and_continued(tscap, app, terminal):
    t = terminal("PS1='ready> ' exec bash --norc --noprofile -i")
    t.see("ready>")
    t.press("%s top -d 0.1 %d" % (shlex.quote(TSCAP), app.pid), "Enter")
    t.see("begun here")
    t.press("C-z")
    screen = t.see("Stopped")
    assert "begun here" not in screen
    assert t.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}").split() == ["0", "1"]
    t.press("clear; echo it lives", "Enter")
    t.see("^it lives")
    t.press("fg", "Enter")
    t.see("begun here")
    app.do("in_background(lambda: (parent(3), time.sleep(0.001)))")
    t.see("leaf")
    t.press("q")
    t.see("stopped recording")
    assert state(tscap, app) == "stopped"


@pytest.mark.parametrize("term, why", [("dumb", "cannot place its cursor"), ("no-such-terminal", "not known"), ("", "TERM is not set")])
def test_terminals_that_cannot(tscap, app, top, term, why):
    t = top(app.pid, before="TERM=" + term)
    screen = t.see("^exit 2")
    assert why in screen
    assert "try: tscap top -b 10 %d" % app.pid in screen
    assert state(tscap, app) == "dormant"


def test_it_does_not_touch_the_process_by_looking(tscap, recorded, top, run_directory):
    """Only reads: the segment's time of change and the process' state are what they were."""
    (segment,) = run_directory.glob("*.tscap")
    recorded.signal(signal.SIGSTOP)
    before = segment.read_bytes()
    t = top("-d", "0.05", recorded.pid)
    t.see("recording,")
    t.press("a", "t", "r")
    t.see("since r")
    leave(t)
    assert segment.read_bytes() == before


# ---- subprocesses ----

FORK = """
import os
if os.fork() == 0:
    while True:
        parent(3)
        time.sleep(0.001)
"""


def test_a_family(tscap, app, top):
    """What top began in each member, and what children made meanwhile got from that, ends with it."""
    app.do("exec(%r)" % FORK)
    try:
        t = top("-s", "-d", "0.2", app.pid, width=140)
        t.see(r"^%d and 1 subprocess " % app.pid)
        t.see(r"recording \(begun here\)")
        t.see(r"^ *[0-9]+ .* 1  leaf \(")
        app.do("exec(%r)" % FORK)
        t.see(r"^%d and 2 subprocesses " % app.pid)
        t.see(r"^ *[0-9]+ .* 2  leaf \(")
        t.press("t")
        t.see(r"^ *pid +tid +state")
        leave(t)
        states = [process["state"] for process in tscap("ps", "--json").json["processes"]]
        assert states == ["stopped"] * 3
    finally:
        for process in tscap("ps", "--json").json["processes"]:
            if process["parent_pid"] == app.pid:
                os.kill(process["pid"], signal.SIGKILL)
