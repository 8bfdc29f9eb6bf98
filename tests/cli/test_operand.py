"""Which process is meant, and the errors when it cannot be recorded."""
import ctypes
import os
import select
import shutil
import struct
import subprocess
import sys
import time

import jsonschema
import pytest
from processes import children, needs_tracing

from conftest import HERE, LIMIT, TSCAP, schema

COMMANDS = ["start", "stop", "reset", "status", "dump"]


@pytest.fixture
def ended_pid(start_program):
    program = start_program("true")
    program.process.wait()
    return program.pid


@pytest.mark.parametrize("command", COMMANDS)
def test_no_such_process(tscap, ended_pid, command, run_directory):
    result = tscap(command, ended_pid).is_error(3)
    assert str(ended_pid) in result.what
    assert str(run_directory) in result.err


def test_no_such_process_for_top(tscap, ended_pid):
    tscap("top", "-b", 1, ended_pid).is_error(3)


def test_a_zombie_is_no_process(tscap, start_program):
    program = start_program("true")
    while not os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT):
        pass
    tscap("start", program.pid).is_error(3)


THREADED = """
import sys, threading
thread = threading.Thread(target=threading.Event().wait, daemon=True)
thread.start()
print("ready", thread.native_id, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("prepared", ["", "import timestamp_capture"])
@pytest.mark.parametrize("command", [*COMMANDS, "detach", "attach", "attach --dry-run", "top -b 1", "top -b 1 --attach", "stack", "doctor"])
def test_the_number_of_a_thread_is_no_process(tscap, start_program, run_directory, command, prepared):
    """`top -H` shows them, and they have folders in /proc as processes have."""
    program = start_program(sys.executable, "-c", prepared + THREADED)
    ready, thread = program.process.stdout.readline().split()
    before = sorted(run_directory.iterdir())
    result = tscap(*command.split(), thread)
    assert result.code == 3, result
    what = result.out if command == "doctor" else result.err
    assert f"{thread} is not a process\n  it is a thread of process {program.pid}\n  try: tscap " in what, result
    assert sorted(run_directory.iterdir()) == before
    with open("/proc/%d/maps" % program.pid) as maps:
        assert ("/timestamp_capture/" in maps.read()) == bool(prepared)


@pytest.mark.parametrize("command", COMMANDS)
def test_not_python(tscap, start_program, command):
    program = start_program("sleep", "60")
    wait_for_command(program.pid, "sleep")
    result = tscap(command, program.pid).is_error(5)
    assert "is not CPython" in result.what


@pytest.mark.parametrize("command", COMMANDS)
def test_python_below_what_is_none(tscap, start_program, command):
    """As below a shell."""
    program = start_program("sh", "-c", '"$0" -c "print(\'ready\', flush=True); input()"; true', sys.executable)
    program.expect("ready")
    (python,) = children(program.pid)
    result = tscap(command, program.pid).is_error(5)
    assert "process %d, below it, is Python" % python in result.err
    assert result.remedy == "  try: tscap %s %d" % (command, python)


@pytest.mark.parametrize("command", ["attach", "stack", "dump"])
def test_an_older_python(tscap, start_program, tmp_path, command):
    """Stands in for one: it is known by its name."""
    shutil.copy(shutil.which("sleep"), tmp_path / "python2.7")
    program = start_program(tmp_path / "python2.7", "60")
    wait_for_command(program.pid, "python2.7")
    result = tscap(command, program.pid).is_error(5)
    assert "python2.7 is an older CPython: 3.9 to 3.15 are supported" in result.err
    assert result.remedy == "  try: tscap ps --python"


def test_a_folder_whose_name_looks_like_a_message(tscap, tmp_path):
    """What comes from the environment begins no line, and turns no text around."""
    folder = tmp_path / "x\u202ey\n  try: rm"
    folder.mkdir(mode=0o700)
    result = tscap("dump", "nothing", TSCAP_DIR=str(folder)).is_error(3)
    assert "x???y?  try: rm" in result.err and "\u202e" not in result.err and len(result.err.splitlines()) == 3


def wait_for_command(pid, part):
    for _ in range(1000):
        with open("/proc/%d/cmdline" % pid) as file:
            if part in file.read():
                return
        time.sleep(0.01)
    raise AssertionError(part)


def test_python_without_us(tscap, start_program):
    program = start_program(sys.executable, "-c", "print('ready', flush=True); input()")
    program.expect("ready")
    result = tscap("start", program.pid).is_error(5)
    assert "has not imported timestamp_capture" in result.err
    assert "CPython %d.%d.%d" % sys.version_info[:3] in result.err
    assert "import timestamp_capture" in result.remedy


def test_python_that_was_told_not_to(tscap, start_app):
    app = start_app(TSCAP_DISABLE="1")
    result = tscap("start", app.pid).is_error(5)
    assert "TSCAP_DISABLE" in result.err
    assert result.remedy == "  try: unset TSCAP_DISABLE, and start the program again"


def test_free_threaded_python(tscap, start_program, tmp_path):
    """Stands in for one: what tells is the name of the extension that is mapped."""
    extension = tmp_path / "timestamp_capture" / "_core.cpython-314t-x86_64-linux-gnu.so"
    extension.parent.mkdir()
    extension.write_bytes(b"code")
    maps_it = "import mmap, sys; f = open(sys.argv[1]); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); print('ready', flush=True); input()"
    program = start_program(sys.executable, "-c", maps_it, str(extension))
    program.expect("ready")
    result = tscap("start", program.pid).is_error(5)
    assert "free-threaded" in result.err


def test_directory_set_for_the_process_only(tscap, app, run_directory, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    result = tscap("dump", app.pid, TSCAP_DIR=str(elsewhere)).is_error(3)
    assert str(elsewhere) in result.what
    assert result.remedy == "  try: TSCAP_DIR=%s tscap dump %d" % (run_directory, app.pid)


def test_directory_set_for_us_only(tscap, start_app, tmp_path):
    """The process uses the default one, into which this test looks by the remedy it is given."""
    default = "/dev/shm/tscap-%d" % os.geteuid()
    existed = os.path.exists(default)
    app = start_app(TSCAP_DIR=None)
    result = tscap("dump", app.pid).is_error(3)
    assert result.remedy == "  try: env -u TSCAP_DIR tscap dump %d" % app.pid
    assert tscap("dump", app.pid, TSCAP_DIR=None).code == 0
    assert app.end() == 0
    if not existed:
        os.rmdir(default)


def test_segment_removed(tscap, app, run_directory):
    for path in run_directory.iterdir():
        path.unlink()
    result = tscap("dump", app.pid).is_error(3)
    assert str(run_directory) in result.what


def test_a_directory_that_is_not_private(tscap, app, run_directory):
    run_directory.chmod(0o755)
    result = tscap("dump", app.pid).is_error(4)
    assert result.remedy == "  try: chmod 700 %s" % run_directory
    run_directory.chmod(0o700)
    assert tscap("dump", app.pid).code == 0


def test_a_directory_that_is_a_link(tscap, app, run_directory, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(run_directory)
    result = tscap("dump", app.pid, TSCAP_DIR=str(link)).is_error(4)
    assert "link" in result.err


def test_a_directory_whose_name_is_too_long(tscap):
    tscap("ps", TSCAP_DIR="/" + "x" * 600).is_error(2)


def test_auto(tscap, start_app):
    tscap("start", "auto").is_error(3)
    one = start_app("first")
    assert tscap("start", "auto").code == 0
    two = start_app("second")
    result = tscap("stop", "auto").is_error(2)
    assert str(one.pid) in result.err and str(two.pid) in result.err
    one.end()
    assert tscap("stop", "auto").code == 0


def test_a_part_of_the_command_line(tscap, start_app):
    one, two = start_app("the", "first"), start_app("the", "second")
    assert "process %d" % one.pid in tscap("dump", "the first").out
    assert "process %d" % two.pid in tscap("dump", "the second").out
    result = tscap("dump", "app.py").is_error(2)
    assert "fits 2 processes" in result.what
    assert str(one.pid) in result.err and str(two.pid) in result.err
    result = tscap("dump", "the third").is_error(3)
    assert "the third" in result.what


def test_a_slash_in_a_part_of_the_command_line(tscap, app):
    """Only dump takes files."""
    assert tscap("start", str(HERE / "app.py")).code == 0
    tscap("dump", str(HERE / "nothing" / "app.py")).is_error(3)


def test_many_candidates_are_not_all_listed(tscap, start_app):
    for _ in range(15):
        start_app()
    result = tscap("start", "auto").is_error(2)
    assert "15 processes" in result.what
    assert len(result.err.splitlines()) <= 14


def test_a_forked_child_is_a_process_of_its_own(tscap, start_program):
    code = (
        "import os, sys, time\n"
        "from timestamp_capture import timestamp\n"
        "f = timestamp(lambda: None)\n"
        "pid = os.fork()\n"
        "print(pid, flush=True) if pid else None\n"
        "while not os.path.exists(sys.argv[1]): f(); time.sleep(0.005)\n"
        "pid and os.waitpid(pid, 0)\n"
    )
    stop = os.path.join(os.environ["TSCAP_DIR"], "stop")
    program = start_program(sys.executable, "-c", code, stop)
    child = int(program.process.stdout.readline())
    try:
        wait_until(lambda: tscap("start", child).code == 0)
        wait_until(lambda: calls(tscap, child) > 0)
        assert calls(tscap, program.pid) == 0
        assert tscap("dump", child, "--json").json["process"]["parent_pid"] == program.pid
    finally:
        open(stop, "w").close()
        program.process.wait(LIMIT)


def calls(tscap, pid):
    return sum(site["calls"] for site in tscap("dump", pid, "--json").json["sites"])


def wait_until(condition):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_standard_files_may_be_closed(app):
    """What is opened later must not take their place; and data that have no place to go to are an error."""
    command = ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', TSCAP, "dump", str(app.pid)]
    assert subprocess.run(command).returncode == 1
    alone = ["sh", "-c", 'exec "$0" "$@" >&-', TSCAP]
    for arguments in (["dump", app.pid], ["convert", app.pid, "-f", "csv"], ["status", app.pid]):
        said = subprocess.run([*alone, *map(str, arguments)], capture_output=True, text=True)
        assert said.returncode == 1 and "cannot write the output" in said.stderr


IN_OPEN, EVENT = 0x20, struct.Struct("iIII")


def opened(watch, quiet=0):
    """Names of the files that were opened, until for so many seconds none was."""
    names, data = set(), b""
    while select.select([watch], [], [], quiet)[0]:
        data += os.read(watch, 1 << 16)
    while data:
        length = EVENT.unpack_from(data)[3]
        names.add(data[EVENT.size : EVENT.size + length].rstrip(b"\0").decode())
        data = data[EVENT.size + length :]
    return names


@pytest.mark.parametrize("command", [*COMMANDS, "top -b 1 -d 0.1", "attach"])
def test_a_number_opens_one_segment(tscap, start_app, run_directory, command):
    """Whoever else has one: a thousand of them make it no slower."""
    app, other = start_app(), start_app()
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init()
    assert libc.inotify_add_watch(watch, os.fsencode(run_directory), IN_OPEN) >= 0
    try:
        for _ in range(5):  # they have just begun, and look at their own: on a busy machine that may last
            opened(watch, 0.5)
            assert tscap(*command.split(), app.pid).code == 0
            segments = {name for name in opened(watch) if name.endswith(".tscap")}
            if len(segments) == 1:
                break
        assert [name.split("-")[0] for name in segments] == [str(app.pid)]
        tscap("ps")
        assert {name.split("-")[0] for name in opened(watch) if name.endswith(".tscap")} == {str(app.pid), str(other.pid)}
    finally:
        os.close(watch)


SHOP = "shop%d_" % os.getpid()  # no other process is called so, nor one of this suite beside it
UNPREPARED = "import sys; print('ready', flush=True); sys.stdin.read()"


@pytest.fixture
def named(start_program, tmp_path):
    """Starts Python programs that have not imported timestamp_capture, by a name that nothing else has."""

    def start(name, script=UNPREPARED):
        path = tmp_path / name
        path.write_text(script)
        program = start_program(sys.executable, str(path))
        program.expect("ready")
        return program

    return start


@needs_tracing
@pytest.mark.parametrize("command", ["attach", "attach --dry-run", "stack", "doctor", "top -b 1 -d 10ms --attach"])
def test_a_part_of_the_command_line_of_any_python(tscap, named, command):
    program = named(SHOP + "server.py")
    result = tscap(*command.split(), SHOP + "server")
    assert result.code == 0 and str(program.pid) in result.out + result.err, result


@pytest.mark.parametrize("command", ["attach", "attach --dry-run", "stack", "doctor", "top -b 1", "top -b 1 --attach"])
def test_a_part_that_fits_nothing(tscap, command):
    result = tscap(*command.split(), "no_such_server_anywhere").is_error(3)
    assert "no process fits 'no_such_server_anywhere'" in result.what
    assert result.remedy in ("  try: tscap ps --python", "  try: tscap ps")


def test_a_part_that_is_the_name_of_a_file(tscap, tmp_path, monkeypatch):
    """And of no process, whatever else runs: a part of a command line would be anything that is in it."""
    monkeypatch.chdir(tmp_path)
    name = "file-%d" % os.getpid()  # in no command line of this machine
    (tmp_path / name).write_text("")
    assert tscap("dump", name).is_error(3).remedy == "  try: tscap dump ./" + name
    assert tscap("top", "-b", "1", name).is_error(3).remedy == "  try: tscap ps"


@pytest.mark.parametrize("command", ["attach", "stack", "doctor", "top -b 1"])
def test_a_part_that_fits_several(tscap, named, command):
    one, two = named(SHOP + "one.py"), named(SHOP + "two.py")
    result = tscap(*command.split(), SHOP).is_error(2)
    assert "'%s' fits 2 Python processes" % SHOP in result.what
    for program in (one, two):
        assert "%7d  " % program.pid in result.err
    assert result.remedy == "  try: tscap %s %d" % (command.split()[0], max(one.pid, two.pid))


FORKS_PREPARED = """
import os, sys, time, timestamp_capture
ready, told = os.pipe()
if os.fork() == 0:
    sys.stdin.close()
    parent = os.getppid()
    os.write(told, b"1")
    while os.getppid() == parent: time.sleep(0.05)
    os._exit(0)
os.read(ready, 1)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("command", ["start", "stop", "reset", "dump", "top -b 1 -d 10ms"])
def test_with_subprocesses_a_part_means_the_one_that_all_descend_from(tscap, named, command):
    program = named(SHOP + "master.py", FORKS_PREPARED)
    several = tscap("start", SHOP + "master").is_error(2)
    assert "fits 2 processes" in several.what
    result = tscap(*command.split(), "-s", SHOP + "master")
    assert result.code == 0 and "%d" % program.pid in result.out + result.err, result


@needs_tracing
def test_the_next_process_of_that_name_is_waited_for(tscap, named):
    earlier = named(SHOP + "worker_1.py")
    waits = subprocess.Popen([TSCAP, "attach", "--wait", SHOP + "worker"], stderr=subprocess.PIPE, text=True)
    try:
        assert "'%sworker'" % SHOP in waits.stderr.readline()
        later = named(SHOP + "worker_2.py")
        said = waits.stderr.read()
        assert waits.wait(LIMIT) == 0 and "attached to process %d" % later.pid in said, said
    finally:
        waits.kill()
        waits.wait()
        waits.stderr.close()
    assert str(later.pid) in tscap("ps").out and str(earlier.pid) not in tscap("ps").out


@pytest.mark.parametrize("operand", ["auto", "7", "x.tscap"])
def test_only_a_name_can_be_waited_for(tscap, operand):
    tscap("attach", "--wait", operand).is_error(2)


def test_python_processes_are_listed(tscap, named, app):
    program = named(SHOP + "listed.py")
    lines = {line.split()[0]: line.split() for line in tscap("ps", "--python").out.splitlines()}
    assert lines["pid"] == ["pid", "user", "python", "prepared", "command"]
    assert lines[str(program.pid)][2:4] == ["%d.%d.%d" % sys.version_info[:3], "no"]
    assert lines[str(app.pid)][3] == "yes"
    found = tscap("ps", "-p", "--json").json
    jsonschema.validate(found, schema("pythons"))
    assert [p["prepared"] for p in found["processes"] if p["pid"] == program.pid] == [False]
    assert [p["parent_pid"] for p in found["processes"] if p["pid"] == program.pid] == [os.getpid()]
    for option in ("--all", "--tree"):
        tscap("ps", "-p", option).is_error(2)
