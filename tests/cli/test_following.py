"""Commands that attach for as long as they last, to a process and all that descend from it: record -s, top --attach -s. What goes on
without its parent, and what does not."""
import os
import re
import signal
import subprocess

import captures
import pytest
from conftest import LIMIT, TSCAP
from processes import is_gone, needs_tracing
from recording import Record
from test_attach_tree import await_no_trace, await_that, is_attached_to, leaves, tree, watch  # noqa: F401  (fixtures)

pytestmark = needs_tracing


# Unbuffered, it writes a line in two parts, and what begin_program() read may have been but the first one.
HEAR = """
def hear(name):
    said = b""
    while not said.endswith(b"done\\n"):
        more = os.read(workers[name][1], 100)
        assert more, "it has ended"
        said += more
"""


def in_program(tree, name, statement):
    tree.program.do("exec(%r)" % HEAR)
    tree.program.do("os.write(workers[%r][0], %r); hear(%r)" % (name, statement.encode() + b"\n", name))


def is_left_alone(pids, run_directory):
    for pid in pids:
        await_no_trace(pid, run_directory)
    await_that(lambda: not list(run_directory.iterdir()), "an empty directory")


@pytest.fixture
def record(tmp_path):
    begun = []

    def start(*arguments):
        begun.append(Record(tmp_path / "x.tscap", *arguments))
        begun[-1].wait_until()
        return begun[-1]

    yield start
    for each in begun:
        each.close()


# ---- record -s ----


def test_record_reaches_what_is_there_and_what_comes(tscap, tree, record, run_directory):  # noqa: F811
    worker, program = tree.begin("worker"), tree.begin_program("program")
    r = record("-s", tree.pid)
    heir, late = tree.begin("heir"), tree.begin_program("late")
    await_that(lambda: is_attached_to(tscap, late))
    tree.program.do("parent(1)")
    for name, calls in (("worker", 20), ("heir", 300)):
        tree.work(name, "parent(%d)" % calls)
    for name, calls in (("program", 4000), ("late", 50000)):
        in_program(tree, name, "parent(%d)" % calls)
    assert r.end() == 0, r.err
    capture = captures.read(r.path)
    assert capture.calls()["leaf"] == 54321
    assert {row["pid"] for row in capture.processes} == {tree.pid, worker, program, heir, late}
    is_left_alone((tree.pid, worker, program, heir, late), run_directory)
    in_program(tree, "late", "parent(1)")


def test_record_leaves_out_what_was_recorded_before(tscap, tree, record):  # noqa: F811
    worker = tree.begin("worker")
    assert tscap("attach", worker).code == 0
    tree.work("worker", "parent(5)")
    r = record("-s", tree.pid)
    tree.work("worker", "parent(60)")
    tree.program.do("parent(700)")
    assert r.end() == 0, r.err
    assert captures.read(r.path).calls()["leaf"] == 760
    assert leaves(tscap, worker) == (65, 1), "what others attached goes on"


def test_record_goes_on_to_the_end_of_its_root(tree, record):  # noqa: F811
    heir = tree.begin("heir")
    r = record("-s", tree.pid)
    later = tree.begin("later")
    tree.work("later", "parent(7)")
    r.wait_until(lambda capture: capture.calls().get("leaf"))
    tree.program.end()
    assert r.process.wait(LIMIT) == 0
    r.end()
    assert captures.read(r.path).calls()["leaf"] == 7, r.err
    for pid in (heir, later):
        await_that(lambda: is_gone(pid), "the end of process %d" % pid)


# ---- top --attach -s ----


def table(text):
    return {name: int(calls) for calls, name in re.findall(r"^ *([0-9]+) .*  (\S+) \(", text, re.M)}


@pytest.fixture
def shown(tree):  # noqa: F811
    """Its tables go to a pipe; `await_calls` reads on until one has so many calls of leaf()."""
    process = subprocess.Popen([TSCAP, "top", "--attach", "-s", "-b", "100000", "-d", "0.1", str(tree.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.first = process.stdout.readline()

    def await_calls(count):
        seen = 0
        while seen < count:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            seen += table(line).get("leaf", 0)
        assert seen == count

    process.await_calls = await_calls
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_top_reaches_all_and_ends_what_it_began(tscap, tree, shown, run_directory, number):  # noqa: F811
    heir, program = tree.begin("heir"), tree.begin_program("program")
    await_that(lambda: is_attached_to(tscap, program))
    tree.work("heir", "parent(20)")
    in_program(tree, "program", "parent(300)")
    shown.await_calls(320)
    shown.send_signal(number)
    shown.communicate(timeout=LIMIT)
    is_left_alone((tree.pid, heir, program), run_directory)
    in_program(tree, "program", "parent(1)")


def test_top_leaves_what_others_attached(tscap, tree, shown):  # noqa: F811
    pids = tree.begin("heir"), tree.begin_program("program")
    for pid in pids:
        await_that(lambda: is_attached_to(tscap, pid))
    assert tscap("attach", pids[1], "-m", "*:leaf").code == 0
    shown.send_signal(signal.SIGINT)
    shown.communicate(timeout=LIMIT)
    assert tscap("status", pids[1]).code == 0 and is_attached_to(tscap, pids[1])


def test_top_one_that_cannot_be_attached_to_is_said(tscap, tree):  # noqa: F811
    stopped = tree.begin("stopped")
    os.kill(stopped, signal.SIGSTOP)
    try:
        result = tscap("top", "--attach", "-s", "-b", 1, "-d", "0.1", tree.pid)
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert result.code == 1 and "process %d is stopped" % stopped in result.err and result.out, result


# ---- a parent that ends before its children ----


ORPHAN = """
while not os.path.exists(%r):
    time.sleep(0.01)
parent(%d)
open(%r, 'w').close()
signal.pause()
"""


class Orphan:
    """A child that goes on without its parent: works once it is told by a file. Its parent is the program, or the other one that this has
    begun by the name of `parent`."""

    def __init__(self, tree, name, calls, parent=None):
        self.go, self.done = tree.folder / (name + ".go"), tree.folder / (name + ".done")
        statement = "import os, signal, time; exec(%r)" % (ORPHAN % (str(self.go), calls, str(self.done)))
        if parent:
            number = tree.folder / (name + ".pid")
            in_program(tree, parent, "import os; pid = os.fork(); open(%r, 'w').write(str(pid)) if pid else exec(%r)" % (str(number), statement))
            self.pid = int(number.read_text())
        else:
            self.pid = tree.begin(name)
            tree.program.do("os.write(workers[%r][0], %r)" % (name, (statement + "\n").encode()))

    def work(self):
        self.go.touch()
        await_that(self.done.exists, "the end of its work")


@pytest.fixture
def orphan(tree):  # noqa: F811
    """Their parent has ended when they have to: nobody else finds them."""
    begun = []

    def start(name, calls, **options):
        begun.append(Orphan(tree, name, calls, **options))
        return begun[-1]

    yield start
    for each in begun:
        try:
            os.kill(each.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    for each in begun:
        await_that(lambda: is_gone(each.pid), "the end of process %d" % each.pid)


def end_the_program(tree):
    tree.program.end()
    await_that(lambda: is_gone(tree.pid), "the end of the program")


def test_a_child_is_recorded_on_when_its_parent_has_ended(tscap, tree, orphan):  # noqa: F811
    """As a daemon's is."""
    before = orphan("before", 30)
    assert tscap("attach", "-s", tree.pid).code == 0
    child = orphan("orphan", 40)
    end_the_program(tree)
    for each, calls in ((before, 30), (child, 40)):
        each.work()
        assert leaves(tscap, each.pid) == (calls, 1)


def test_a_child_is_recorded_on_when_its_parent_becomes_another_program(tscap, tree, orphan):  # noqa: F811
    """As that of a server that executes itself anew is; what the parent is then was not attached to."""
    assert tscap("attach", "-s", tree.pid).code == 0
    child = orphan("orphan", 40)
    tree.program.do("os.execv(sys.executable, [sys.executable, '-c', 'print(\"done\", flush=True); import signal; signal.pause()'])")
    child.work()
    assert leaves(tscap, child.pid) == (40, 1)


def test_kept_is_also_what_an_ended_parent_and_its_child_recorded(tscap, tree, orphan):  # noqa: F811
    assert tscap("attach", "-s", "--keep", tree.pid).code == 0
    child = orphan("orphan", 40)
    tree.program.do("parent(2)")
    end_the_program(tree)
    child.work()
    assert leaves(tscap, tree.pid) == (2, 1)
    assert leaves(tscap, tree.pid, "-s") == (42, 2)


def test_a_child_of_one_below_is_recorded_on_when_that_has_ended(tscap, tree, watch, orphan, run_directory):  # noqa: F811
    """As long as the command lasts: what a server leaves that has executed itself anew."""
    middle = tree.begin_program("middle")
    await_that(lambda: is_attached_to(tscap, middle))
    child = orphan("orphan", 40, parent="middle")
    await_that(lambda: is_attached_to(tscap, child.pid))
    tree.program.do("kept[-1][0].stdin.close(), kept[-1][0].wait()")
    child.work()
    assert leaves(tscap, tree.pid, "-s") == (40, 1)
    watch.send_signal(signal.SIGINT)
    watch.wait(LIMIT)
    is_left_alone((tree.pid, child.pid), run_directory)


def test_top_ends_with_its_root_and_lets_a_child_go(tscap, tree, shown, run_directory, orphan):  # noqa: F811
    child = orphan("orphan", 40)
    await_that(lambda: is_attached_to(tscap, child.pid))
    end_the_program(tree)
    _, err = shown.communicate(timeout=LIMIT)
    assert shown.returncode == 0 and "process %d has ended" % tree.pid in err, err
    is_left_alone((child.pid,), run_directory)
    child.work()


def test_record_has_what_a_child_did_to_the_end(tscap, tree, record, run_directory, orphan):  # noqa: F811
    child = orphan("orphan", 40)
    r = record("-s", tree.pid)
    child.work()
    end_the_program(tree)
    r.end(0)
    assert captures.read(r.path).calls()["leaf"] == 40, r.err
    is_left_alone((child.pid,), run_directory)


def test_an_attachment_that_lasts_as_long_as_its_command_ends_with_its_root(tscap, tree, watch, run_directory, orphan):  # noqa: F811
    """In the end the child is let go, and the command does not wait for it."""
    child = orphan("orphan", 40)
    await_that(lambda: is_attached_to(tscap, child.pid))
    end_the_program(tree)
    assert watch.wait(LIMIT) == 0
    is_left_alone((child.pid,), run_directory)


def test_alone_it_ends_with_its_process_though_children_go_on(tscap, tree, orphan):  # noqa: F811
    """They have the session from somebody else, and the connection with it."""
    assert tscap("attach", "-s", tree.pid).code == 0
    with subprocess.Popen([TSCAP, "attach", "--while-attached", str(tree.pid)], stderr=subprocess.PIPE, text=True) as process:
        while "until this command ends" not in process.stderr.readline():
            assert process.poll() is None
        orphan("orphan", 1)
        end_the_program(tree)
        assert process.wait(LIMIT) == 0
