"""Processes of other users. Needs root, to become somebody else."""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from conftest import NOBODY, ROOT, Program

COVERAGE = pathlib.Path(os.environ["TSCAP_BUILD"]).name == "cov"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv"),
    pytest.mark.skipif(COVERAGE, reason="another user may not write the counters, and that is said on stderr"),
]


CODE = """
import importlib, os, sys, types, warnings, __future__
os.setgroups([]); os.setgid(65534); os.setuid(65534)
from timestamp_capture import timestamp
@timestamp
def f(): pass
print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""


@pytest.fixture
def nobodys(public_package):
    """A program of nobody's, in the default directory of that user."""
    directory = pathlib.Path("/dev/shm/tscap-%d" % NOBODY)
    existed = directory.exists()
    environment = {**os.environ, "PYTHONPATH": str(public_package)}
    del environment["TSCAP_DIR"]
    program = Program([sys.executable, "-c", CODE], env=environment)
    try:
        program.expect("ready")
        yield program
    finally:
        if program.process.poll() is None:
            program.end()
        program.close()
        if not existed and directory.exists():
            directory.rmdir()


@pytest.mark.parametrize("command", ["start", "dump", "status"])
def test_what_belongs_to_another_user(tscap_as_nobody, app, command):
    result = tscap_as_nobody(command, app.pid, TSCAP_DIR=None).is_error(4)
    assert "is not yours" in result.what
    assert "root" in result.err
    assert result.remedy == "  try: sudo tscap %s %d" % (command, app.pid)


def test_a_directory_of_another_user(tscap_as_nobody, app, run_directory):
    """As far as one gets to look at it at all."""
    result = tscap_as_nobody("dump", app.pid).is_error(4)
    assert str(run_directory) in result.err or "is not yours" in result.what


def test_a_file_of_another_user(tscap_as_nobody, recorded, copy_segment, public):
    copy = shutil.copy(copy_segment(recorded), public / "copy.tscap")
    os.chmod(copy, 0o600)
    tscap_as_nobody("dump", copy).is_error(4)
    os.chmod(copy, 0o644)
    assert tscap_as_nobody("dump", copy).code == 0


def test_root_reaches_everybody(tscap, nobodys):
    listed = tscap("ps", "--json", TSCAP_DIR=None).json["processes"]
    (process,) = [process for process in listed if process["pid"] == nobodys.pid]
    assert process["uid"] == NOBODY
    assert tscap("start", nobodys.pid, TSCAP_DIR=None).code == 0
    nobodys.do("f()")
    profile = tscap("dump", nobodys.pid, "--json", TSCAP_DIR=None).json
    assert {site["qualname"]: site["calls"] for site in profile["sites"] if site["calls"]} == {"f": 1}
    assert tscap("stop", nobodys.pid, TSCAP_DIR=None).code == 0


def test_the_user_reaches_it_as_well(tscap_as_nobody, nobodys):
    assert tscap_as_nobody("start", nobodys.pid, TSCAP_DIR=None).code == 0
    nobodys.do("f()")
    assert tscap_as_nobody("dump", "auto", TSCAP_DIR=None).code in (0, 2)


def test_gc_of_root_is_for_roots_own(tscap, nobodys):
    """Another user's directory is that user's affair."""
    nobodys.kill()
    assert tscap("dump", nobodys.pid, TSCAP_DIR=None).code == 0
    assert str(nobodys.pid) not in tscap("gc", TSCAP_DIR=None).out
    assert tscap("dump", nobodys.pid, TSCAP_DIR=None).code == 0
    for path in pathlib.Path("/dev/shm/tscap-%d" % NOBODY).glob("%d-*" % nobodys.pid):
        path.unlink()


def test_root_in_a_directory_of_another_user(tscap, public, monkeypatch):
    directory = public / "theirs"
    directory.mkdir(mode=0o700)
    os.chown(directory, NOBODY, NOBODY)
    assert tscap("ps", TSCAP_DIR=str(directory)).code == 0
    assert ROOT.exists()
