"""tscap attach -s and detach -s: a process that knows nothing of timestamp_capture, and all that descend from it."""
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from conftest import HERE, LIMIT, TSCAP
from processes import children, is_gone, needs_tracing, thread_names

pytestmark = needs_tracing

# Workers of plain_app.py: each runs the statements that it is told, and answers with a dot.
WORKERS = """
import os, subprocess
workers = {}
def begin(name):
    inlet, outlet = os.pipe()
    answers, answer = os.pipe()
    pid = os.fork()
    if pid == 0:
        for at, _, _ in workers.values():
            os.close(at)
        os.close(outlet)
        for line in os.fdopen(inlet):
            exec(line, globals())
            os.write(answer, b".")
        os._exit(0)
    os.close(inlet)
    workers[name] = outlet, answers, pid
    work(name, "pass")
def work(name, statement):
    os.write(workers[name][0], (statement + "\\n").encode())
    os.read(workers[name][1], 1)
def program(name, *command):
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    workers[name] = process.stdin.fileno(), process.stdout.fileno(), process.pid
    kept.append((process, os.read(process.stdout.fileno(), 100)))
kept = []
"""


class Tree:
    """A program and its workers, by name."""

    def __init__(self, program, folder):
        self.program = program
        self.pid = program.pid
        self.folder = folder
        program.do("exec(%r, globals())" % WORKERS)

    def begin(self, name):
        self.program.do("begin(%r)" % name)
        return self._pid_of(name)

    def begin_program(self, name):
        """By exec(2): another plain_app.py."""
        self.program.do("program(%r, %r, %r)" % (name, sys.executable, str(HERE / "plain_app.py")))
        return self._pid_of(name)

    def _pid_of(self, name):
        path = self.folder / name
        self.program.do("open(%r, 'w').write(str(workers[%r][2]))" % (str(path), name))
        return int(path.read_text())

    def work(self, name, statement):
        self.program.do("work(%r, %r)" % (name, statement))


def descendants(pid):
    return [each for child in children(pid) for each in (child, *descendants(child))]


@pytest.fixture
def tree(plain, tmp_path):
    """Ended with all that it began: what lives on would remove its files while the test's directory is."""
    yield Tree(plain, tmp_path)
    left = descendants(plain.pid)
    plain.kill()
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    for pid in left:
        await_that(lambda: is_gone(pid), "the end of process %d" % pid)


def leaves(tscap, pid, *options):
    """Calls of leaf(), and in how many processes."""
    result = tscap("dump", "--json", *options, pid)
    assert result.code == 0, result
    found = {site["name"]: (site["calls"], site["processes"]) for site in result.json["sites"] if site["calls"]}
    return found.get("leaf", (0, 0))


def await_that(condition, what="that"):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "it does not come to " + what
        time.sleep(0.01)


def await_no_trace(pid, run_directory):
    def has_none():
        return "tscap" not in thread_names(pid) and not list(run_directory.glob("%d-*" % pid))

    await_that(has_none, "nothing of process %d" % pid)


def test_workers_that_are_there_and_those_to_come(tscap, tree, run_directory):
    first, second = tree.begin("first"), tree.begin("second")
    result = tscap("attach", "-s", tree.pid)
    assert result.code == 0, result
    (told,) = re.findall("^tscap: attached to processes ([0-9]+), ([0-9]+), too", result.err, re.M)
    assert {int(pid) for pid in told} == {first, second}
    tree.program.do("parent(1)")
    tree.work("first", "parent(20)")
    third = tree.begin("third")
    tree.work("third", "parent(300)")
    tree.work("second", "begin('grandchild'); work('grandchild', 'parent(4000)')")
    assert leaves(tscap, tree.pid, "-s") == (4321, 4)
    assert leaves(tscap, second) == (0, 0), "but its child"
    result = tscap("detach", "-s", tree.pid)
    assert result.code == 0 and result.err.startswith("tscap: detached from process %d and 4 subprocesses\n" % tree.pid), result
    for pid in (tree.pid, first, second, third):
        await_no_trace(pid, run_directory)
    assert not list(run_directory.iterdir())
    tree.work("first", "parent(5)")
    again = tscap("detach", "-s", tree.pid)
    assert again.code, "nothing is there to be told"
    assert tscap("attach", "-s", tree.pid).code == 0
    tree.work("third", "parent(6)")
    assert leaves(tscap, tree.pid, "-s") == (6, 1)


def test_the_selection_is_handed_on(tscap, tree):
    tree.begin("before")
    assert tscap("attach", "-s", "-m", "__main__:leaf", tree.pid).code == 0
    tree.begin("after")
    for name in ("before", "after"):
        tree.work(name, "parent(7)")
    sites = tscap("dump", "-s", "--json", tree.pid).json["sites"]
    assert {site["name"]: site["calls"] for site in sites if site["calls"]} == {"leaf": 14}


def test_programs_that_run_already(tscap, tree):
    """Not those that are begun later: nobody is there to see them."""
    tree.begin_program("before")
    result = tscap("attach", "-s", tree.pid)
    assert result.code == 0, result
    tree.begin_program("after")
    for name in ("before", "after"):
        tree.program.do("os.write(workers[%r][0], b'parent(8)\\n'); os.read(workers[%r][1], 100)" % (name, name))
    assert leaves(tscap, tree.pid, "-s") == (8, 1)
    assert tscap("attach", "-s", tree.pid).code == 0
    tree.program.do("os.write(workers['after'][0], b'parent(8)\\n'); os.read(workers['after'][1], 100)")
    assert leaves(tscap, tree.pid, "-s") == (16, 2)


@pytest.fixture
def watch(tree):
    """tscap attach -s --while-attached, once it says that it stays."""
    process = subprocess.Popen([TSCAP, "attach", "-s", "--while-attached", str(tree.pid)], stderr=subprocess.PIPE, text=True)
    process.heard = ""
    while "until this command ends" not in process.heard:
        line = process.stderr.readline()
        assert line, process.heard
        process.heard += line
    yield process
    if process.poll() is None:
        process.kill()
    process.stderr.close()
    process.wait()


def recorded_pids(tscap):
    return {process["pid"] for process in tscap("ps", "--json").json["processes"] if process["state"] == "recording"}


def is_attached_to(tscap, pid):
    """Not only brought in, and recording as a descendant of one that is: it has its order."""
    status = tscap("status", "--json", pid)
    consumers = status.json["processes"][0]["consumers"] if status.code == 0 else []
    return "attached" in {consumer["kind"] for consumer in consumers}


def test_while_attached_it_sees_programs_that_begin(tscap, tree, run_directory, watch):
    late = tree.begin_program("late")
    await_that(lambda: is_attached_to(tscap, late))
    tree.program.do("os.write(workers['late'][0], b'parent(9)\\n'); os.read(workers['late'][1], 100)")
    assert leaves(tscap, tree.pid, "-s") == (9, 1)


def is_socket(path):
    try:
        return os.readlink(path).startswith("socket:")
    except FileNotFoundError:
        return False  # what is looked at comes and goes


def sockets(pid):
    folder = "/proc/%d/fd" % pid
    return sum(is_socket(os.path.join(folder, name)) for name in os.listdir(folder))


def test_while_attached_it_holds_no_connection_to_what_has_ended(tscap, tree, watch):
    """A server begins more programs in its life than a process has descriptors."""
    await_that(lambda: sockets(watch.pid) == 1, "the root's alone")
    program = tree.begin_program("program")
    await_that(lambda: is_attached_to(tscap, program))
    await_that(lambda: sockets(watch.pid) == 2, "two connections")
    tree.program.do("kept[-1][0].stdin.close(), kept[-1][0].wait()")
    await_that(lambda: sockets(watch.pid) == 1, "one connection")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_all_end_with_the_command(tscap, tree, run_directory, watch, number):
    """Those that were forked meanwhile, too, whom nobody told."""
    heir, program = tree.begin("heir"), tree.begin_program("program")
    for pid in (heir, program):
        await_that(lambda: is_attached_to(tscap, pid))
    watch.send_signal(number)
    for pid in (tree.pid, heir, program):
        await_no_trace(pid, run_directory)
    assert not list(run_directory.iterdir())
    tree.work("heir", "parent(1)")


def test_all_end_with_an_order(tscap, tree, run_directory, watch):
    heir = tree.begin("heir")
    await_that(lambda: heir in recorded_pids(tscap))
    assert tscap("detach", tree.pid).code == 0
    assert watch.wait(LIMIT) == 0
    await_no_trace(heir, run_directory)


def test_one_of_them_is_detached_from(tscap, tree, run_directory, watch):
    heir, other = tree.begin("heir"), tree.begin("other")
    await_that(lambda: {heir, other} <= recorded_pids(tscap))
    assert tscap("detach", heir).code == 0
    await_no_trace(heir, run_directory)
    tree.program.do("parent(2)")
    tree.work("other", "parent(30)")
    assert leaves(tscap, tree.pid) == (2, 1) and leaves(tscap, other) == (30, 1)
    assert tscap("dump", "-s", tree.pid).code == 6, "one that should record does not"
    assert watch.poll() is None


def test_it_ends_with_its_root(tscap, tree, watch, run_directory):
    """Also if a child lives on, which holds the connection: that one is detached from."""
    heir = tree.begin("heir")
    await_that(lambda: heir in recorded_pids(tscap))
    tree.program.do("os.write(workers['heir'][0], b'import signal; signal.pause()\\n')")
    try:
        tree.program.kill()
        assert watch.wait(LIMIT) == 0
        await_no_trace(heir, run_directory)
    finally:
        os.kill(heir, signal.SIGKILL)


def test_one_that_cannot_be_attached_to_is_said(tscap, tree):
    stopped, other = tree.begin("stopped"), tree.begin("other")
    os.kill(stopped, signal.SIGSTOP)
    try:
        result = tscap("attach", "-s", tree.pid)
        assert result.code == 1 and "process %d is stopped" % stopped in result.err, result
        assert "attached to process %d, too, which descends from it" % other in result.err, result
    finally:
        os.kill(stopped, signal.SIGCONT)
    tree.work("other", "parent(3)")
    assert leaves(tscap, tree.pid, "-s") == (3, 1)


def test_alone_it_names_those_below_it(tscap, tree):
    assert "below it" not in tscap("attach", tree.pid).err
    worker = tree.begin("worker")
    result = tscap("attach", tree.pid)
    assert result.code == 0, result
    assert "process %d, below it, runs Python, too, and nothing of that is recorded: tscap attach -s %d" % (worker, tree.pid) in result.err
    assert tscap("attach", "-s", tree.pid).code == 0
    assert "below it" not in tscap("attach", tree.pid).err


def test_alone_it_is_detached_from_before_those_below_it_are_looked_for(tscap, tree, run_directory):
    """Held up by a full pipe where it would say that it has attached."""
    tree.begin("worker")
    outlet, inlet = os.pipe()
    os.set_blocking(inlet, False)
    filled = 0
    try:
        while True:
            filled += os.write(inlet, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(inlet, True)
    with subprocess.Popen([TSCAP, "attach", "--while-attached", str(tree.pid)], stderr=inlet) as process, os.fdopen(outlet, errors="replace") as said:
        os.close(inlet)
        await_that(lambda: is_attached_to(tscap, tree.pid))
        assert tscap("detach", tree.pid).code == 0
        await_no_trace(tree.pid, run_directory)
        text = said.read()[filled:]
        assert process.wait(LIMIT) == 0, text
    assert "process %d has ended, or was detached from" % tree.pid in text


def test_not_only_prepared(tscap, tree):
    tscap("attach", "-s", "--no-start", tree.pid).is_error(2)


# ---- start -s, where only the workers have timestamp_capture ----


PREPARED = "import sys; sys.path.insert(0, %r); from timestamp_capture import timestamp; leaf = timestamp(leaf); parent = timestamp(parent)"


@pytest.fixture
def master(tree):
    """A process that knows nothing of timestamp_capture, with a worker that has imported it."""
    folder = os.path.dirname(os.path.dirname(importlib.util.find_spec("timestamp_capture").origin))
    tree.program.do("os.environ['TSCAP_DIR'] = %r" % os.environ["TSCAP_DIR"])
    tree.prepare = lambda name: tree.work(name, PREPARED % folder)
    tree.worker = tree.begin("worker")
    tree.prepare("worker")
    return tree


def test_start_reaches_the_workers_of_a_master_that_is_not_prepared(tscap, master):
    result = tscap("start", "-s", master.pid)
    assert result.code == 0 and "process %d had not imported timestamp_capture" % master.pid in result.err, result
    master.work("worker", "parent(5)")
    master.begin("later")
    master.prepare("later")
    master.work("later", "parent(60)")
    master.program.do("parent(700)")
    assert leaves(tscap, master.pid, "-s") == (65, 2), "what is decorated, and nothing else"
    again = tscap("start", "-s", master.pid)
    assert again.code == 0 and "records already; the same with 2 subprocesses" in again.err, again
    assert tscap("stop", "-s", master.pid).code == 0
    master.work("later", "parent(1)")
    assert leaves(tscap, master.pid, "-s") == (65, 2)


def test_start_reaches_them_also_where_the_master_cannot_be_entered(tscap, master):
    os.kill(master.pid, signal.SIGSTOP)
    try:
        result = tscap("start", "-s", master.pid)
    finally:
        os.kill(master.pid, signal.SIGCONT)
    assert result.code == 1 and "process %d is stopped" % master.pid in result.err, result
    assert "recording 1 process below %d, each by itself" % master.pid in result.err, result
    master.work("worker", "parent(5)")
    assert leaves(tscap, master.worker) == (5, 1)


def test_start_says_what_it_did_where_it_records_already(tscap, app):
    assert tscap("start", app.pid).code == 0
    assert "records already; what it forks does so from now on, too\n" in tscap("start", "-s", app.pid).err
    assert tscap("start", "-s", app.pid).err == "tscap: process %d records already\n" % app.pid
