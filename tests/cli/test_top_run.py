"""tscap top --run: a program shown from its first line, in a terminal or in tables; its end is that of tscap run."""
import os
import re
import shutil
import signal
import subprocess
import sys

import captures
import pytest
from conftest import LIMIT, TSCAP
from processes import environment_without_us
from terminal import eventually

PYTHON = sys.executable
FULL_SCREEN = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")
WAITS = """
import os, sys, time
def f(): pass
for _ in range(1000): f()
print("said", flush=True)
while not os.path.exists(sys.argv[1]): time.sleep(0.01)
for _ in range(500): f()
sys.exit(7)
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    path = tmp_path / "here"
    path.mkdir()
    monkeypatch.chdir(path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return path


@pytest.fixture
def waits(tmp_path):
    (tmp_path / "waits.py").write_text(WAITS)
    return [PYTHON, str(tmp_path / "waits.py"), str(tmp_path / "go")]


def written(here):
    (log,) = here.glob("waits-*.log")
    return log.read_text()


def calls_of(path):
    return captures.read(path).calls()


@FULL_SCREEN
def test_the_screen_then_the_file_and_the_exit_status(here, waits, top, tmp_path):
    t = top("--run", "-d", "0.2", "--output", "all.tscap", "--", *waits, before="cd %s;" % here)
    t.see(r"recording,? ")
    assert "said" not in t.screen()
    t.press("a")
    t.see(r"^ *1000 .*  f \(")
    (tmp_path / "go").touch()
    t.see("has ended")
    t.see(r"^ *1500 .*  f \(")
    t.press("q")
    screen = t.see("^exit 7$")
    assert "saved ./all.tscap" in screen and re.search(r"what the program wrote is in \./waits-[0-9]+\.log", screen), screen
    assert t.is_as_before()
    assert calls_of(here / "all.tscap")["f"] == 1500 and written(here) == "said\n"


@FULL_SCREEN
def test_who_leaves_waits_for_the_end(here, waits, top, tmp_path):
    t = top("--run", "--", *waits, before="cd %s;" % here)
    t.see(r"recording,? ")
    t.press("q")
    t.see("goes on, and is waited for")
    (tmp_path / "go").touch()
    t.see("^exit 7$")
    assert re.search(r"^ *1500 .*  f \(", t.screen(), re.M)
    assert not list(here.glob("*.tscap")), "nobody asked for a file"


@FULL_SCREEN
def test_interrupt_goes_to_both(here, waits, top):
    t = top("--run", "--", *waits, before="cd %s;" % here)
    t.see(r"recording,? ")
    t.press("C-c")
    t.see("^exit 130$")
    assert t.is_as_before() and "KeyboardInterrupt" in written(here)


@FULL_SCREEN
def test_a_signal_to_top_is_for_the_program(here, waits, top):
    t = top("--run", "--output", "all.tscap", "--", *waits, before="cd %s;" % here)
    t.see(r"recording,? ")
    os.kill(t.child(), signal.SIGTERM)
    t.see("^exit 143$")
    assert t.is_as_before() and calls_of(here / "all.tscap")["f"] == 1000


def test_tables_and_stdin(here, tmp_path):
    """Tables are alone on stdout; what is on stdin is the program's."""
    (tmp_path / "asks.py").write_text("def f(): pass\nf()\nprint('got ' + input())\nf()\n")
    command = [TSCAP, "top", "--run", "-b", "1", "-d", "0.1", "--program-output", "told", "--", PYTHON, str(tmp_path / "asks.py")]
    environment = {**environment_without_us(), "TSCAP_DIR": os.environ["TSCAP_DIR"]}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert re.match("[0-9]+ .*asks.py$", process.stdout.readline())
    out, err = process.communicate("word\n", timeout=LIMIT)
    assert process.returncode == 0 and "got" not in out and re.search(r"^ *2 .*  f \(", err, re.M), err
    assert (here / "told").read_text() == "got word\n"


def test_a_file_that_is_there_stays(here, tscap):
    (here / "told").write_text("mine")
    assert "File exists" in tscap("top", "--run", "-b", 1, "--program-output", "told", "--", PYTHON, "-c", "1").is_error(1).err
    assert tscap("top", "--run", "-b", 1, "--program-output", "/dev/null", "--", PYTHON, "-c", "print(1)").code == 0
    assert (here / "told").read_text() == "mine" and [p.name for p in here.iterdir()] == ["told"]


def test_mistakes(tscap):
    assert "COMMAND is missing" in tscap("top", "--run").is_error(2).err
    assert "after --" in tscap("top", "--run", PYTHON).is_error(2).err
    assert "do not go with --run" in tscap("top", "--run", "--attach", "-b", 1, "--", PYTHON).is_error(2).err
    assert "are for --run" in tscap("top", "-b", 1, "--output", "x", os.getpid()).is_error(2).err
    assert tscap("top", "--run", "-b", 1, "--", "no-such-command").is_error(127)


def test_what_is_there_is_not_emptied(tscap, tmp_path, here):
    """Its name goes to what the program writes; who has it by another name, or open, still has all of it."""
    (here / "log").write_text("precious")
    os.link(here / "log", here / "other")
    (here / "says.py").write_text("print('said')")
    words = ["top", "--run", "-b", "1", "-d", "10ms", "--force", "--program-output", "log"]
    assert tscap(*words, "--", PYTHON, "says.py").code == 0
    assert ((here / "log").read_text(), (here / "other").read_text()) == ("said\n", "precious")


def test_what_it_writes_does_not_go_into_the_capture(tscap, here):
    words = ["top", "--run", "-b", "1", "--force", "--program-output", "all.tscap", "--output", "all.tscap"]
    assert "cannot write all.tscap" in tscap(*words, "--", PYTHON, "-c", "print()").is_error(1).what
