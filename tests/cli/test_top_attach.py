"""top --attach: what it brought into a process goes when it leaves, however that comes about; what others brought stays."""
import re
import shutil
import signal
import subprocess

import pytest

from conftest import LIMIT, TSCAP
from processes import needs_tracing, thread_names
from terminal import eventually

pytestmark = needs_tracing
on_screen = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")

LOOP = "threading.Thread(target=lambda: [(parent(3), time.sleep(0.001)) for _ in iter(int, 1)], daemon=True).start()"


@pytest.fixture
def busy(plain):
    plain.do("import time")
    plain.do(LOOP)
    return plain


def is_clean(program, run_directory):
    """Neither a segment nor a thread of ours; and it works."""
    eventually(lambda: list(run_directory.iterdir()), lambda left: not left)
    eventually(lambda: thread_names(program.pid), lambda found: not any(name.startswith("tscap") for name in found))
    program.do("parent(1)")
    return True


def table(out):
    return {name: int(calls) for calls, name in re.findall(r"^ *([0-9]+) .*  (\S+) \(", out, re.M)}


# ---- tables ----


def test_tables(tscap, busy, run_directory):
    result = tscap("top", "--attach", "-b", 2, "-d", "1", busy.pid)
    assert result.code == 0, result
    assert {"leaf", "parent"} <= set(table(result.out)), result
    assert re.fullmatch(r"tscap: attached to process %d: recording; .*\ntscap: detached from process %d\n" % (busy.pid, busy.pid), result.err)
    assert is_clean(busy, run_directory)


def test_only_what_matches(tscap, busy, run_directory):
    result = tscap("top", "--attach", "--match", "leaf", "-b", 1, "-d", "1", busy.pid)
    assert set(table(result.out)) == {"leaf"}, result
    assert is_clean(busy, run_directory)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_signal(busy, run_directory, number):
    process = subprocess.Popen([TSCAP, "top", "--attach", "-b", "1000", "-d", "0.1", str(busy.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert str(busy.pid) in process.stdout.readline()
    process.send_signal(number)
    process.communicate(timeout=LIMIT)
    assert process.returncode == -number
    assert is_clean(busy, run_directory)


def test_what_others_attached_stays(tscap, busy):
    assert tscap("attach", busy.pid, "--match", "leaf").code == 0
    result = tscap("top", "--attach", "-b", 1, "-d", "1", busy.pid)
    assert result.code == 0 and "somebody is attached" in result.err and "detached" not in result.err, result
    assert set(table(result.out)) == {"leaf"}
    assert set(table(tscap("top", "-b", 1, "-d", "1", busy.pid).out)) == {"leaf"}


def test_what_others_attach_meanwhile_stays(tscap, busy):
    process = subprocess.Popen([TSCAP, "top", "--attach", "-b", "1000", "-d", "0.1", str(busy.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert str(busy.pid) in process.stdout.readline()
    assert tscap("attach", busy.pid, "--match", "leaf").code == 0
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LIMIT)
    assert set(table(tscap("top", "-b", 2, "-d", "1", busy.pid).out)) == {"leaf"}


def test_a_prepared_one_keeps_what_it_has(tscap, app):
    app.do("def plain_one(): pass")
    app.do("in_background(lambda: (plain_one(), parent(3), time.sleep(0.001)))")
    result = tscap("top", "--attach", "--match", "plain_one", "-b", 1, "-d", "1", app.pid)
    assert {"plain_one", "leaf"} <= set(table(result.out)), result
    assert "detached" in result.err
    status = tscap("status", app.pid)
    assert status.code == 0 and re.search("^state +stopped", status.out, re.M), status


def test_one_that_ends_meanwhile(busy):
    process = subprocess.Popen([TSCAP, "top", "--attach", "-b", "1000", "-d", "0.1", str(busy.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert str(busy.pid) in process.stdout.readline()
    busy.end()
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert err.splitlines()[1:] == ["tscap: process %d has ended" % busy.pid]


def test_what_is_for_attaching_only(tscap, busy):
    for options in (["--match", "x"], ["--exclude", "x"], ["--all"], ["--method", "ptrace"], ["--timeout", "1"]):
        assert tscap("top", "-b", 1, *options, busy.pid).is_error(2).remedy == "  try: tscap top --attach %d" % busy.pid


def test_nobody_to_ask(tscap, plain):
    result = tscap("top", "-b", 1, plain.pid).is_error(5)
    assert result.remedy.startswith("  try: tscap top --attach %d" % plain.pid)


def test_while_attached_twice(tscap, plain, run_directory):
    """The second one replaces what the first one wanted, which ends."""
    first = subprocess.Popen([TSCAP, "attach", "--while-attached", str(plain.pid)], stderr=subprocess.PIPE, text=True)
    assert "attached" in first.stderr.readline()
    second = subprocess.Popen([TSCAP, "attach", "--while-attached", str(plain.pid)], stderr=subprocess.PIPE, text=True)
    assert "attached" in second.stderr.readline()
    first.communicate(timeout=LIMIT)
    assert first.returncode == 0 and second.poll() is None
    assert tscap("status", plain.pid).code == 0
    second.kill()
    second.communicate()
    assert is_clean(plain, run_directory)


# ---- the full screen ----


@on_screen
def test_the_screen(busy, top, run_directory):
    t = top("--attach", "-d", "0.1", busy.pid)
    t.see(r"recording \(attached here\)")
    t.see(r"leaf \(")
    t.press("q")
    screen = t.see("^exit 0")
    assert "tscap: detached from process %d" % busy.pid in screen
    eventually(t.is_as_before, bool)
    assert is_clean(busy, run_directory)


@on_screen
def test_the_terminal_goes(busy, top, run_directory):
    t = top("--attach", "-d", "0.1", busy.pid)
    t.see(r"attached here")
    t.tmux("kill-server")
    assert is_clean(busy, run_directory)


@on_screen
def test_a_terminal_that_cannot_is_told_before(busy, top, run_directory):
    t = top("--attach", busy.pid, before="TERM=dumb")
    t.see("^exit 2")
    assert "attached" not in t.screen()
    assert is_clean(busy, run_directory)


@on_screen
def test_it_is_offered(busy, top, run_directory):
    t = top("-d", "0.1", busy.pid)
    t.see(r"attach to it now, and detach on leaving\? \[y/N\]")
    assert not list(run_directory.iterdir())
    t.press("y", "Enter")
    t.see(r"attached here")
    t.see(r"leaf \(")
    t.press("q")
    t.see("^exit 0")
    assert is_clean(busy, run_directory)
