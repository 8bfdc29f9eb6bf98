"""Processes of other users. Needs root, to become somebody else."""
import contextlib
import os
import pathlib
import shutil
import struct
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
        if not existed:
            with contextlib.suppress(OSError):  # gone, or somebody else's by now
                directory.rmdir()


@pytest.mark.parametrize("command", ["start", "dump", "status"])
def test_what_belongs_to_another_user(tscap_as_nobody, app, command):
    result = tscap_as_nobody(command, app.pid, TSCAP_DIR=None).is_error(4)
    assert "is not yours" in result.what
    assert "root" in result.err
    assert result.remedy == "  try: sudo tscap %s %d" % (command, app.pid)


def test_what_may_not_be_looked_into_though_it_is_ours(tscap_as_nobody):
    """Whoever was root and is not any more cannot be dumped until it executes something else."""
    code = "import os; os.setgid(%d); os.setuid(%d); print('ready', flush=True); input()" % (NOBODY, NOBODY)
    program = Program([sys.executable, "-c", code])
    try:
        program.expect("ready")
        result = tscap_as_nobody("dump", program.pid, TSCAP_DIR=None).is_error(4)
        assert result.what == "tscap: may not look into process %d" % program.pid
        assert "its user is yours" in result.err and result.remedy == "  try: sudo tscap dump %d" % program.pid
    finally:
        program.close()


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


# ---- a segment is believed of its owner's process only ----

PID, START_TIME, BOOT_ID, ADDRESS = 24, 32, 48, 312  # in struct segment_header


@pytest.fixture
def nobodys_directory(public):
    """A run directory of nobody's."""
    directory = public / "theirs"
    directory.mkdir(mode=0o700)
    os.chown(directory, NOBODY, NOBODY)
    return directory


@pytest.fixture
def forge():
    """A segment that nobody puts into `directory`: it says that it is that of `victim`. Those in a default directory go."""
    made = []

    def forge(directory, segment, victim, address=None, boot=None):
        start_time = int(pathlib.Path("/proc/%d/stat" % victim).read_text().rpartition(")")[2].split()[19])
        data = bytearray(segment)
        struct.pack_into("<I", data, PID, victim)
        struct.pack_into("<Q", data, START_TIME, start_time)
        if address is not None:
            struct.pack_into("<Q", data, ADDRESS, address)
        if boot is not None:
            struct.pack_into("40s", data, BOOT_ID, boot)
        path = directory / ("%d-%d.tscap" % (victim, start_time))
        made.append(path)
        path.write_bytes(data)
        path.chmod(0o600)
        os.chown(path, NOBODY, NOBODY)
        return path

    yield forge
    for path in made:
        path.unlink(missing_ok=True)


@pytest.fixture
def roots(start_app):
    """A program in the default directory of its user."""
    directory = pathlib.Path("/dev/shm/tscap-%d" % os.geteuid())
    existed = directory.exists()
    program = start_app(TSCAP_DIR=None)
    yield program
    program.close()
    for path in directory.glob("%d-*" % program.pid):
        path.unlink()
    if not existed:
        with contextlib.suppress(OSError):
            directory.rmdir()


@pytest.fixture
def forgery(recorded, copy_segment):
    """What is put in: somebody's 300 calls of leaf() and more."""
    segment = pathlib.Path(copy_segment(recorded)).read_bytes()
    recorded.kill()
    return segment


def listed(tscap, **environment):
    processes = tscap("ps", "--json", **environment).json["processes"]
    return [(process["pid"], process["uid"]) for process in processes]


LIES = pytest.mark.parametrize("lie", [{}, {"address": 0}, {"boot": b"another"}], ids=["as it was", "no address", "another boot"])


@LIES
def test_a_forged_segment(tscap, start_program, nobodys_directory, forge, forgery, lie):
    """No segment of its own shall stand beside it: the process is none that is recorded."""
    victim = start_program("sleep", "1000").pid
    forge(nobodys_directory, forgery, victim, **lie)
    here = {"TSCAP_DIR": str(nobodys_directory)}
    result = tscap("ps", **here)
    assert str(victim) not in result.out
    assert "1 segment names a process of another user than its own" in result.err
    assert listed(tscap, **here) == []
    for command in "dump", "status", "start":
        assert "leaf" not in tscap(command, victim, **here).is_error(5).err
    assert tscap("dump", "auto", **here).code != 0


def test_a_forged_segment_of_no_sane_content(tscap, start_program, nobodys_directory, forge):
    victim = start_program("sleep", "1000").pid
    forge(nobodys_directory, b"garbage" * 100, victim)
    assert listed(tscap, TSCAP_DIR=str(nobodys_directory)) == []
    tscap("dump", victim, TSCAP_DIR=str(nobodys_directory)).is_error(5)


@LIES
def test_a_forged_segment_beside_the_true_one(tscap, roots, nobodys, forge, forgery, lie):
    """Root looks at the directories of all users."""
    victim = roots
    forge(pathlib.Path("/dev/shm/tscap-%d" % NOBODY), forgery, victim.pid, **lie)
    assert [uid for pid, uid in listed(tscap, TSCAP_DIR=None) if pid == victim.pid] == [os.geteuid()]
    for arguments in ("start",), ("stop",), ("start", "--subprocesses"):
        assert tscap(arguments[0], victim.pid, *arguments[1:], TSCAP_DIR=None).code == 0
    victim.do("leaf()")
    for arguments in (), ("--subprocesses",):
        profile = tscap("dump", victim.pid, "--json", *arguments, TSCAP_DIR=None).json
        assert {site["qualname"]: site["calls"] for site in profile["sites"] if site["calls"]} == {"leaf": 1}
    assert victim.end() == 0


def test_the_dead_of_root_come_before_those_of_others(tscap, roots, nobodys, forge, forgery):
    """Whose a process was that has ended says the owner of its file alone."""
    victim = roots
    assert tscap("start", victim.pid, TSCAP_DIR=None).code == 0
    victim.do("leaf()")
    path = forge(pathlib.Path("/dev/shm/tscap-%d" % NOBODY), forgery, victim.pid)
    later = path.with_name("%d-%d.tscap" % (victim.pid, 2**63))
    data = bytearray(path.read_bytes())
    struct.pack_into("<Q", data, START_TIME, 2**63)
    path.write_bytes(data)
    path.rename(later)
    victim.kill()
    try:
        profile = tscap("dump", victim.pid, "--json", TSCAP_DIR=None).json
        assert {site["qualname"]: site["calls"] for site in profile["sites"] if site["calls"]} == {"leaf": 1}
    finally:
        later.unlink()


@pytest.mark.parametrize("become", ["os.setresuid(65534, 65534, 0)", "os.setuid(65534)"], ids=["for a while", "for ever"])
def test_what_root_made_is_believed_of_a_process_that_is_somebody_elses_now(tscap, app, become):
    app.do(become)
    assert listed(tscap) == [(app.pid, 0)]


def test_what_a_process_has_mapped_is_its_own_whoever_it_is_now(tscap, start_program, public_package, nobodys_directory):
    """Somebody for as long as it took to make the segment."""
    code = CODE.replace("os.setuid(65534)", "os.seteuid(65534)").replace("@timestamp", "os.seteuid(0)\n@timestamp")
    environment = {**os.environ, "PYTHONPATH": str(public_package), "TSCAP_DIR": str(nobodys_directory)}
    program = start_program(sys.executable, "-c", code, env=environment)
    program.expect("ready")
    assert listed(tscap, TSCAP_DIR=str(nobodys_directory)) == [(program.pid, NOBODY)]
    assert program.end() == 0


def test_root_in_a_directory_of_another_user(tscap, nobodys_directory):
    assert tscap("ps", TSCAP_DIR=str(nobodys_directory)).code == 0
    assert ROOT.exists()


# ---- programs that root starts and that become another user ----

SERVER = """
import os, sys, threading
from timestamp_capture import timestamp
@timestamp
def f(): pass
def round_of(n):
    many = {}
    exec("from timestamp_capture import timestamp\\n" + "\\n".join("@timestamp\\ndef g%d_%d(): pass" % (n, i) for i in range(500)), many)
    def work():
        for i in range(500): many["g%d_%d" % (n, i)]()
        f()
    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads: t.start()
    for t in threads: t.join()
def close_file(inode):
    for fd in range(3, 256):
        try:
            if os.fstat(fd).st_ino == inode: os.close(fd)
        except OSError: pass
print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""

DROPS = {
    "setuid": "os.setgroups([]); os.setgid(65534); os.setuid(65534)",
    "setresuid": "os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)",
    "seteuid": "os.setegid(65534); os.seteuid(65534)",
}
CLOSES = "os.closerange(3, 256)"


@pytest.fixture
def server(start_program, public_package):
    program = start_program(sys.executable, "-c", SERVER, env={**os.environ, "PYTHONPATH": str(public_package)})
    program.expect("ready")
    return program


def calls(tscap, program):
    profile = tscap("dump", program.pid, "--json").json
    assert profile["complete"] is True
    return {site["qualname"]: site["calls"] for site in profile["sites"] if site["calls"]}


@pytest.mark.parametrize("drop", DROPS.values(), ids=DROPS.keys())
def test_who_was_root_when_it_imported(tscap, server, run_directory, drop):
    server.do(drop)
    (segment,) = run_directory.glob("%d-*.tscap" % server.pid)
    sizes = [segment.stat().st_size]
    expected = {"f": 0}
    for n in range(3):
        assert tscap("start", server.pid).code == 0
        server.do("round_of(%d)" % n)
        expected["f"] += 8
        expected.update(("g%d_%d" % (n, i), 8) for i in range(500))
        assert calls(tscap, server) == expected
        sizes.append(segment.stat().st_size)
        assert tscap("stop", server.pid).code == 0
        assert calls(tscap, server) == expected
    assert sizes == sorted(set(sizes)), "it had to grow each time"
    assert server.end() == 0


def test_what_it_could_not_remove(tscap, server, start_app, run_directory):
    """Nobody lists it, and root's next program takes it away."""
    server.do(DROPS["setuid"])
    assert tscap("start", server.pid).code == 0
    server.do("f()")
    assert server.end() == 0
    left = list(run_directory.iterdir())
    assert sorted(path.suffix for path in left) == [".sock", ".tscap"]
    assert tscap("ps", "--all", "--json").json["processes"] == []
    tscap("dump", server.pid).is_error(3)
    app = start_app()
    assert tscap("start", app.pid).code == 0  # it looks around before it listens
    assert not any(path.exists() for path in left)
    assert app.end() == 0
    assert list(run_directory.iterdir()) == []


def test_gc_of_what_it_could_not_remove(tscap, server, run_directory):
    server.do(DROPS["setuid"])
    assert server.end() == 0
    left = {str(path) for path in run_directory.iterdir()}
    assert set(tscap("gc").out.split()) == left and len(left) == 2
    assert list(run_directory.iterdir()) == []


def test_what_was_killed_stays(tscap, server, start_app, run_directory):
    server.do(DROPS["setuid"])
    assert tscap("start", server.pid).code == 0
    server.do("f()")
    server.kill()
    app = start_app()
    assert tscap("start", app.pid).code == 0
    assert calls(tscap, server) == {"f": 1}


def test_it_then_closes_what_it_does_not_know(tscap, server, public):
    """It can be told nothing, and nothing of its own is touched."""
    server.do(DROPS["setuid"] + "; " + CLOSES)
    server.do("files = [os.memfd_create('theirs') for _ in range(32)]")
    result = tscap("start", server.pid).is_error(1)
    assert "another user now (uid %d)" % NOBODY in result.err
    assert "import timestamp_capture in the program after" in result.remedy
    server.do("round_of(0); assert all(os.fstat(file).st_size == 0 for file in files)")
    assert server.end() == 0


def test_it_closes_that_of_the_segment_only(tscap, server, run_directory):
    """It hears, and says that it cannot."""
    (segment,) = run_directory.glob("%d-*.tscap" % server.pid)
    server.do("close_file(%d); %s" % (segment.stat().st_ino, DROPS["setuid"]))
    result = tscap("start", server.pid).is_error(1)
    assert "out of reach" in result.err and "import timestamp_capture after that" in result.err
    assert [process["state"] for process in tscap("ps", "--json").json["processes"]] == ["dormant"]
    server.do("round_of(0)")
    assert server.end() == 0
