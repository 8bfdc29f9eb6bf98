"""Processes in other pid and mount namespaces, and below other roots: found and recorded from outside, by their number here."""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time

import jsonschema
import pytest

from conftest import HERE, LIMIT, NOBODY, TSCAP, Result, schema
from processes import CONTAINER, inner_pid, is_gone

COVERAGE = pathlib.Path(os.environ["TSCAP_BUILD"]).name == "cov"
pytestmark = pytest.mark.skipif(COVERAGE, reason="who is somebody else, or has another root, cannot write the counters")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
ALL = {"namespaces": ["user", "pid", "mount"]}
BELOW_ANOTHER_ROOT = {**ALL, "root": True}
AS_DOCKER_DOES = {"namespaces": ["pid", "mount"], "root": True}

KINDS = {
    "user, pid and mount namespaces": ALL,
    "and another root": BELOW_ANOTHER_ROOT,
    "as docker does": AS_DOCKER_DOES,
    "a mount namespace": {"namespaces": ["mount"]},
    "another root": {"namespaces": ["mount"], "root": True},
    "a pid namespace with the memory of the host": {"namespaces": ["pid", "mount"], "own_memory": False},
    "a user namespace of nobody": {**ALL, "uid": NOBODY},
    "and another root of nobody": {**BELOW_ANOTHER_ROOT, "uid": NOBODY},
}


def within_our_rights(wish):
    """Others than root need a user namespace for all else."""
    if os.geteuid() == 0:
        return wish
    if "uid" in wish:
        pytest.skip("only root can become somebody else")
    return {**wish, "namespaces": ["user", *{*wish["namespaces"]} - {"user"}]}


@pytest.fixture
def start_container(start_program, public_package):
    """Starts app.py in a container of that kind; its pid is the one from here."""
    with contextlib.ExitStack() as stack:

        def start(wish, app="app.py", **environment):
            root = stack.enter_context(tempfile.TemporaryDirectory(prefix="tscap-test-root."))
            os.chmod(root, 0o755)
            wish = {**within_our_rights(wish), "package": str(public_package), "root": root if wish.get("root") else None}
            if wish.get("uid"):
                os.chown(root, wish["uid"], wish["uid"])
            changed = {**os.environ, "TSCAP_DIR": None, **environment}
            changed = {name: value for name, value in changed.items() if value is not None}
            program = start_program(sys.executable, CONTAINER, json.dumps(wish), str(HERE / app), env=changed)
            word, _, rest = program.process.stdout.readline().strip().partition(" ")
            if word == "cannot:":
                pytest.skip("this kernel does not allow it: %s" % rest)
            program.expect("ready")
            program.outer, program.pid = program.pid, int(rest)
            stack.callback(wait_until, lambda: is_gone(program.pid))
            stack.callback(program.close)
            return program

        yield start


def wait_until(condition):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def outside(tscap):
    """tscap with the default directory, as from a shell on the host."""
    return lambda *arguments: tscap(*arguments, TSCAP_DIR=None)


def listed(result):
    assert result.code == 0, result
    return {process["pid"]: process for process in result.json["processes"]}


def calls(result):
    assert result.code == 0, result
    return {site["qualname"]: site["calls"] for site in result.json["sites"] if site["calls"]}


@pytest.fixture
def in_our_memory(start_container):
    """The same where it may be that its segment lies in the default directory of the host: nothing stays there."""
    started = []
    default = pathlib.Path("/dev/shm/tscap-%d" % os.geteuid())
    existed = default.exists()

    def start(wish):
        started.append(start_container(wish))
        return started[-1]

    yield start
    for program in started:
        assert program.end() == 0
    if not existed:
        with contextlib.suppress(OSError):
            default.rmdir()


@pytest.fixture(params=KINDS)
def contained(request, in_our_memory):
    return in_our_memory(KINDS[request.param])


def test_all_commands(outside, contained):
    pid = contained.pid
    process = listed(outside("ps", "--json"))[pid]
    assert process["container"] and process["inner_pid"] == inner_pid(pid) and process["state"] == "dormant"
    result = outside("start", pid)
    assert result.code == 0 and "recording process %d: " % pid in result.err, result
    contained.do("parent(100)")
    profile = outside("dump", pid, "--json")
    assert calls(profile) == {"parent": 1, "leaf": 100}
    assert profile.json["process"]["pid"] == pid and profile.json["process"]["alive"]
    status = outside("status", pid)
    assert status.code == 0 and "process %d of a container" % inner_pid(pid) in status.out, status
    assert "not known" not in status.out, "the listener answers"
    assert outside("reset", pid).code == 0
    contained.do("leaf()")
    assert calls(outside("dump", pid, "--json")) == {"leaf": 1}
    assert outside("top", "-b", 1, "-d", "0.01", pid).code == 0
    assert outside("stop", pid).code == 0
    assert listed(outside("ps", "--json"))[pid]["state"] == "stopped"
    assert outside("gc").code == 0
    assert calls(outside("dump", pid, "--json")) == {"leaf": 1}


def test_cpu_time_of_an_open_call(outside, contained):
    """Its thread is asked by the number that it has here."""
    pid = contained.pid
    outside("start", pid)
    contained.do("took_it = threading.Event()")
    contained.do("open_call = timestamp('open call')(lambda: (spin(60_000_000), took_it.set(), time.sleep(1000)))")
    contained.do("threading.Thread(target=open_call, daemon=True).start()")
    contained.do("took_it.wait()")
    (site,) = [site for site in outside("dump", pid, "--json").json["sites"] if site["name"] == "open call"]
    assert site["open"] == 1 and site["cpu_unknown_ns"] == 0
    assert 50_000_000 <= site["cpu_ns"] <= site["inclusive_ns"]


def test_the_table_marks_them(outside, start_container):
    program = start_container(AS_DOCKER_DOES)
    lines = outside("ps").out.splitlines()
    assert lines[0].split()[:2] == ["pid", "inner"]
    (row,) = [line.split() for line in lines if line.split()[0] == str(program.pid)]
    assert row[1] == str(inner_pid(program.pid))
    result = outside("ps", "--json")
    jsonschema.validate(result.json, schema("processes"))


def test_one_that_shares_our_memory_is_listed_once(outside, in_our_memory):
    program = in_our_memory(KINDS["a pid namespace with the memory of the host"])
    processes = outside("ps", "-a", "--json").json["processes"]
    (it,) = [process for process in processes if process["pid"] == program.pid]
    name = "/dev/shm/tscap-%d/%d-%d.tscap" % (os.geteuid(), it["inner_pid"], it["start_time"])
    assert it["segment"] == "/proc/%d/root%s" % (program.pid, name)
    assert name not in [process["segment"] for process in processes]


def test_a_part_of_the_command_line(outside, start_container):
    program = start_container(AS_DOCKER_DOES)
    assert outside("start", json.dumps(str(program.outer))[1:-1]).code != 0
    command = open("/proc/%d/cmdline" % program.pid).read().replace("\0", " ").strip()
    assert outside("start", command).code == 0


def test_its_own_directory(tscap, outside, start_container):
    """$TSCAP_DIR is a path in the process' root."""
    program = start_container(AS_DOCKER_DOES, TSCAP_DIR="/run/tscap")
    assert not os.path.exists("/run/tscap")
    for run in (outside, tscap):
        assert run("start", program.pid).code == 0
    assert program.pid in listed(outside("ps", "--json"))
    assert program.pid not in listed(tscap("ps", "--json"))
    assert program.pid in listed(tscap("ps", "--json", TSCAP_DIR="/run/tscap"))


@as_root
def test_a_service_that_became_somebody_else(outside, start_container):
    program = start_container(AS_DOCKER_DOES)
    program.do("import os; os.setgid(12345); os.setuid(12345)")
    assert outside("start", program.pid).code == 0
    assert listed(outside("ps", "--json"))[program.pid]["state"] == "recording"


def test_gc_never_deletes_in_a_container(outside, start_container):
    """What died there is for those in there."""
    program = start_container(AS_DOCKER_DOES)
    program.do("import os, signal; pid = os.fork(); pid or signal.pause()")
    program.do("child = pid")
    wait_until(lambda: len(list(directory_of(program).iterdir())) == 4)
    before = sorted(directory_of(program).iterdir())
    program.do("os.kill(child, 9); os.waitpid(child, 0)")
    assert "/proc" not in outside("gc").out
    assert sorted(directory_of(program).iterdir()) == before


def test_subprocesses(outside, start_container):
    """Parents and children know each other by their numbers in there."""
    program = start_container(AS_DOCKER_DOES)
    program.do("import os, signal; pid = os.fork(); pid or signal.pause()")
    wait_until(lambda: len(list(directory_of(program).iterdir())) == 4)
    result = outside("start", "-s", program.pid)
    assert result.code == 0 and "and 1 subprocess" in result.err, result
    (child,) = [int(pid) for pid in open("/proc/%d/task/%d/children" % (program.pid, program.pid)).read().split()]
    assert outside("dump", "-s", program.pid).code == 0
    found = listed(outside("ps", "--json"))
    assert [found[pid]["state"] for pid in (program.pid, child)] == ["recording"] * 2
    assert "\\_ " in [line for line in outside("ps", "--tree").out.splitlines() if line.split()[0] == str(child)][0]
    program.do("os.kill(pid, 9); os.waitpid(pid, 0)")
    assert outside("reset", "-s", program.pid).code == 0
    assert len(list(directory_of(program).iterdir())) >= 4, "what the dead left there is not ours to remove"


# ---- permission ----


@as_root
@pytest.mark.parametrize("command", ["start", "dump", "status"])
def test_nobody_may_look_into_roots(tscap_as_nobody, start_container, command):
    program = start_container(AS_DOCKER_DOES)
    result = tscap_as_nobody(command, program.pid, TSCAP_DIR=None).is_error(4)
    assert "/proc/%d/root" % program.pid in result.err
    assert result.remedy == "  try: sudo tscap %s %d" % (command, program.pid)
    assert program.pid not in listed(tscap_as_nobody("ps", "--json", TSCAP_DIR=None))


@as_root
def test_nobody_may_look_into_its_own(tscap_as_nobody, start_container):
    """Who makes a user namespace has all rights in it."""
    program = start_container(KINDS["and another root of nobody"])
    assert program.pid in listed(tscap_as_nobody("ps", "--json", TSCAP_DIR=None))
    assert tscap_as_nobody("start", program.pid, TSCAP_DIR=None).code == 0
    program.do("leaf()")
    assert calls(tscap_as_nobody("dump", program.pid, "--json", TSCAP_DIR=None)) == {"leaf": 1}


@as_root
@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_root_without_the_capability(start_container):
    program = start_container(AS_DOCKER_DOES)
    weak = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace", TSCAP, "dump", str(program.pid)]
    result = Result(subprocess.run(weak, capture_output=True, text=True, timeout=LIMIT))
    result.is_error(4)
    assert "CAP_SYS_PTRACE" in result.err


@as_root
def test_a_clock_that_begins_elsewhere(outside, start_container):
    program = start_container({"namespaces": ["pid", "mount", "time"], "root": True})
    result = outside("start", program.pid).is_error(5)
    assert "time namespace" in result.err


# ---- what lies there is not to be trusted ----


def directory_of(program):
    return pathlib.Path("/proc/%d/root/dev/shm/tscap-0" % program.pid)


def segment_of(program):
    (path,) = directory_of(program).glob("%d-*.tscap" % inner_pid(program.pid))
    return path


def refused(outside, program, code):
    """And nothing hangs."""
    result = outside("dump", program.pid).is_error(code)
    assert outside("ps", "--json").code == 0
    return result


def test_a_directory_that_is_a_link(outside, start_container):
    """It would lead elsewhere here than there; as the process' own directory it is refused even if it stays inside."""
    program = start_container(AS_DOCKER_DOES)
    directory = directory_of(program)
    directory.rename(directory.with_name("moved"))
    for target in ("/dev/shm/moved", "moved", "/proc/self/root", "../../../../../../dev/shm/moved"):
        directory.symlink_to(target)
        refused(outside, program, 4)
        directory.unlink()
    directory.with_name("moved").rename(directory)
    assert outside("dump", program.pid).code == 0


def test_links_on_the_way_stay_inside(outside, start_container, tmp_path):
    program = start_container(AS_DOCKER_DOES, TSCAP_DIR="/run/tscap")
    root = pathlib.Path("/proc/%d/root" % program.pid)
    (root / "run").rename(root / "elsewhere")
    for target, code in (("/elsewhere", 0), ("../../../../elsewhere", 0), (str(tmp_path), 3)):
        (root / "run").symlink_to(target)
        assert outside("dump", program.pid).code == code
        (root / "run").unlink()
    (root / "run").symlink_to("run")
    refused(outside, program, 4)


def test_a_directory_that_is_not_private(outside, start_container):
    program = start_container(AS_DOCKER_DOES)
    directory_of(program).chmod(0o777)
    refused(outside, program, 4)
    directory_of(program).chmod(0o700)
    assert outside("dump", program.pid).code == 0
    if os.geteuid() == 0:
        os.chown(directory_of(program), 12345, 12345)
        refused(outside, program, 4)


@pytest.mark.parametrize("kind", ["fifo", "link", "folder", "empty"])
def test_something_else_in_place_of_the_segment(outside, start_container, kind):
    program = start_container(AS_DOCKER_DOES)
    segment = segment_of(program)
    segment.rename(segment.with_name("moved"))
    if kind == "fifo":
        os.mkfifo(segment, 0o600)
    elif kind == "link":
        segment.symlink_to("moved")
    elif kind == "folder":
        segment.mkdir()
    else:
        segment.touch()
    refused(outside, program, 1 if kind == "empty" else 4)


def test_a_device_in_place_of_the_segment(outside, start_container):
    program = start_container(AS_DOCKER_DOES)
    segment = segment_of(program)
    segment.unlink()
    try:
        os.mknod(segment, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("no device can be made")
    refused(outside, program, 4)


def test_a_copy_in_place_of_the_segment(outside, start_container):
    """Name, content, owner, all is right; but it is not what the process has mapped."""
    program = start_container(AS_DOCKER_DOES)
    segment = segment_of(program)
    shutil.copy(segment, segment.with_name("copy"))
    segment.with_name("copy").chmod(0o600)
    segment.with_name("copy").rename(segment)
    refused(outside, program, 1)


def test_another_process_at_the_socket(outside, start_container):
    program = start_container(AS_DOCKER_DOES)
    path = segment_of(program).with_suffix(".sock")
    path.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        server.settimeout(0)
        result = outside("start", program.pid).is_error(1)
        assert "nobody listens" in result.err
        connection, _ = server.accept()
        with connection:
            assert connection.recv(100) == b"", "it was told nothing"


def test_a_link_in_place_of_the_socket(outside, start_container, run_directory):
    program = start_container(AS_DOCKER_DOES)
    path = segment_of(program).with_suffix(".sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(run_directory / "secret.sock"))
        server.listen()
        server.settimeout(0)
        path.unlink()
        path.symlink_to(run_directory / "secret.sock")
        outside("start", program.pid).is_error(1)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_containers_that_end_meanwhile(outside, start_container):
    """Whatever moment it is: a list without it, or "no such process"."""
    program = start_container(AS_DOCKER_DOES)
    ps = [subprocess.Popen([TSCAP, "ps", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    program.kill()
    dumps = [outside("dump", program.pid) for _ in range(4)]
    for process in ps:
        out, err = process.communicate(timeout=LIMIT)
        assert process.returncode == 0 and json.loads(out), err
    wait_until(lambda: is_gone(program.pid))
    assert {result.code for result in dumps} <= {0, 1, 3}
    outside("dump", program.pid).is_error(3)


# ---- attach ----


@pytest.fixture
def start_plain(start_container):
    """A program that knows nothing of timestamp_capture and does not see it."""
    return lambda wish: start_container({**wish, "with_package": False}, "plain_app.py")


@as_root
@pytest.mark.parametrize("kind", ["as docker does", "another root", "and another root of nobody"])
def test_attach_brings_what_it_does_not_see(outside, start_plain, kind):
    program = start_plain(KINDS[kind])
    for round in range(2):
        result = outside("attach", program.pid, "--memfd")
        assert result.code == 0, result
        program.do("parent(%d)" % (round + 7))
        assert calls(outside("dump", program.pid, "--json")) == {"parent": 1, "leaf": round + 7}
        assert outside("detach", program.pid).code == 0
        wait_until(lambda: outside("status", program.pid).code != 0)
        program.do("parent(1)")
    maps = {line.split(None, 5)[-1].strip() for line in open("/proc/%d/maps" % program.pid) if "timestamp_capture" in line}
    assert len(maps) == 1 and maps.pop().startswith("/memfd:/timestamp_capture/_core."), "one copy, however often"
    assert program.end() == 0


@as_root
def test_attach_without_memfd_says_what_is_missing(outside, start_plain):
    program = start_plain(AS_DOCKER_DOES)
    result = outside("attach", program.pid).is_error(5)
    assert "cannot see" in result.what
    assert "tscap attach %d --memfd" % program.pid in result.remedy
    assert "memfd" not in open("/proc/%d/maps" % program.pid).read()
