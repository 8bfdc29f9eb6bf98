"""Attach, record, detach, again and again, whatever the program is doing; and what cannot be attached to is left as it is.

Short (TSCAP_CYCLES unset) in `make check`; 100 cycles and more of each by `make soak-inject`.
"""
import glob
import json
import os
import pathlib
import platform
import random
import shutil
import signal
import subprocess
import sys
import sysconfig
import time

import pytest

import scenes
import stage
from processes import CONTAINER, NOBODY, children, environment_without_us, needs_tracing
from stage import CYCLES, PATIENCE, TSCAP, tscap

pytestmark = [pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="free-threaded"), needs_tracing]

WAITING = ["sleep", "accept", "join", "asyncio idle"]  # a signal makes them answer
WORKING = ["busy", "short sleeps", "queue", "9 threads", "allocation", "dict", "gc", "malloc", "malloc in 5 threads", "dlopen",
           "dlopen in 4 threads", "subprocess", "fork", "vfork", "asyncio busy", "signals", "thread churn", "import", "registers"]


@pytest.mark.parametrize("scene", WORKING + WAITING)
def test_scene(perform, scene):
    program = perform(scene, wakes=scene in WAITING)
    for number in range(CYCLES):
        program.cycle(number)
    program.goes_on()
    program.end()


# ---- allocators that are not the C library's ----


OUR_OWN = {"of our own": [], "of our own, all of it exported": ["-DINNER="]}
ALLOCATORS = {"jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4", "mimalloc": "libmimalloc.so.[23]"}


def find_library(name):
    for folder in ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/lib/*-linux-gnu"):
        for path in sorted(glob.glob(os.path.join(folder, name)), reverse=True):
            return path
    pytest.skip("%s is not installed" % name)


@pytest.mark.parametrize("scene", ["allocation", "malloc"])
@pytest.mark.parametrize("allocator", [*OUR_OWN, *ALLOCATORS])
def test_allocator(perform, libraries, allocator, scene):
    """Ours ends the program when it is entered again by a thread that is inside it."""
    library = find_library(ALLOCATORS[allocator]) if allocator in ALLOCATORS else libraries("allocator", *OUR_OWN[allocator])
    program = perform(scene, environment={"LD_PRELOAD": str(library)})
    for number in range(CYCLES):
        program.cycle(number)
    program.end()


# ---- whose interpreter is not called by python's own main function, or not called as usual ----


@pytest.fixture
def host(tmp_path):
    """The command of a program that runs Python by its library."""
    library = pathlib.Path(sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("INSTSONAME") or "")
    if not library.name.startswith("libpython") or not library.exists():
        pytest.skip("this Python is no shared library")
    return [str(stage.build("host.c", tmp_path / "host", str(library), "-Wl,-rpath,%s" % library.parent))]


@pytest.mark.parametrize("scene", ["busy", "sleep", "allocation"])
def test_host(perform, host, scene):
    program = perform(scene, command=host, environment={"PYTHONHOME": sys.base_prefix}, wakes=scene in WAITING)
    for number in range(CYCLES):
        program.cycle(number)
    program.end()


@pytest.mark.skipif(sys.version_info < (3, 12) or not sysconfig.get_config_var("PY_HAVE_PERF_TRAMPOLINE"), reason="no trampolines")
@pytest.mark.parametrize("scene", ["busy", "sleep", "allocation", "9 threads"])
def test_perf_trampolines(perform, scene):
    """-X perf: each call of a Python function leads through code of no file, which no table describes."""
    program = perform(scene, command=[sys.executable, "-X", "perf"], wakes=scene in WAITING)
    try:
        for number in range(CYCLES):
            program.cycle(number)
        program.end()
    finally:
        pathlib.Path("/tmp/perf-%d.map" % program.pid).unlink()  # the interpreter's


# ---- who is somebody else, or sees other files ----


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
SOMEBODY_ELSE = {"uid": NOBODY, "namespaces": [], "root": None}
IN_A_CHROOT = {"namespaces": ["pid", "mount"], "root": True}
IN_A_CHROOT_OF_SOMEBODY_ELSE = {"uid": NOBODY, "namespaces": ["user", "pid", "mount"], "root": True}


@pytest.fixture
def perform_elsewhere(public_package, libraries, perform):
    """A scene that container.py begins. Whoever that is, it cannot read where the package lies."""

    def begin(scene, wish, **options):
        wish = {**wish, "package": str(public_package), "with_package": False, "shows": [str(public_package)]}
        folders = {"root": public_package / "root", "run": public_package / "run"}
        for path in folders.values():
            path.mkdir(mode=0o700)
            os.chown(path, wish.get("uid", 0), wish.get("uid", 0))
        directory = "/run/tscap" if wish["root"] else str(folders["run"])
        wish["root"] = wish["root"] and str(folders["root"])
        program = perform(
            scene,
            folder=public_package,
            helper=shutil.copy(libraries("helper"), public_package),
            command=[sys.executable, CONTAINER, json.dumps(wish)],
            environment={"TSCAP_DIR": directory},
            pid_of=lambda pid: children(pid)[0],
            options=["--memfd"],
            **options,
        )
        if program.said().startswith("cannot:"):
            pytest.skip("this kernel does not allow it: %s" % program.said())
        return program

    return begin


@as_root
@pytest.mark.parametrize("scene", ["busy", "sleep"])
def test_other_uid(perform_elsewhere, monkeypatch, scene):
    program = perform_elsewhere(scene, SOMEBODY_ELSE, wakes=scene in WAITING)
    monkeypatch.setenv("TSCAP_DIR", program.own_directory)
    for number in range(CYCLES):
        program.cycle(number)
    program.end()


@as_root
def test_as_other_uid(perform, public):
    """Who is not root may not, and nothing of it is seen by the process."""
    program = perform("busy")
    command = shutil.copy(TSCAP, public)
    os.chmod(command, 0o755)
    for number in range(CYCLES):
        refused = program.attach(code=4, executable=command, env=environment_without_us(), user=NOBODY, group=NOBODY, extra_groups=[])
        assert "uid %d" % NOBODY in refused.stderr
        program.cycle(number)
    program.end()


@as_root
@pytest.mark.parametrize("wish", [IN_A_CHROOT, IN_A_CHROOT_OF_SOMEBODY_ELSE], ids=["chroot of root", "chroot of nobody"])
@pytest.mark.parametrize("scene", ["busy", "sleep"])
def test_container(perform_elsewhere, scene, wish):
    """In pid and mount namespaces of its own."""
    program = perform_elsewhere(scene, wish, wakes=scene in WAITING)
    for number in range(CYCLES):
        program.cycle(number)
    program.end()


# ---- what cannot be attached to now ----


def test_stopped(perform):
    program = perform("short sleeps")
    for number in range(CYCLES):
        os.kill(program.pid, signal.SIGSTOP)
        program.wait_until(lambda: "T" in open("/proc/%d/stat" % program.pid).read().rpartition(")")[2], "it does not stop")
        assert "is stopped" in program.attach(code=1).stderr
        os.kill(program.pid, signal.SIGCONT)
        program.cycle(number)
    program.end()


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_traced(perform):
    program = perform("short sleeps")
    for number in range(CYCLES):
        with subprocess.Popen(["strace", "-o", "/dev/null", "-p", str(program.pid)], stderr=subprocess.PIPE, text=True) as tracer:
            assert "attached" in tracer.stderr.readline()
            assert "already traced" in program.attach(code=4).stderr
            tracer.send_signal(signal.SIGINT)
        program.cycle(number)
    program.end()


def test_child_of_vfork(perform):
    """It runs in its parent's memory, for a moment."""
    program = perform("vfork")
    parent, tried = program.pid, 0
    while tried < CYCLES:
        found = children(parent)
        if found:
            program.pid = found[0]
            program.attach(code=(1, 3))
            program.pid = parent
            tried += 1
    program.cycle()
    program.end()


def test_not_dumpable(perform):
    program = perform("not dumpable")
    for number in range(CYCLES):
        if os.geteuid() == 0:
            program.cycle(number)
        else:
            program.attach(code=4)
    program.end()


def test_no_new_code(perform):
    """PR_SET_MDWE."""
    program = perform("no new code")
    if program.threads != 1:
        pytest.skip("this kernel does not know PR_SET_MDWE")
    for number in range(CYCLES):
        program.cycle(number)
    program.end()


def test_lock_kept(perform):
    """The interpreter's lock, for 0.7 s at a time: whoever has not the time is told, and what was begun comes to an end."""
    program = perform("lock kept")
    for number in range(1 if CYCLES < 100 else 10):
        program.attach("--timeout", "0.2", code=(0, 124))
        program.attach("--timeout", "30")
        program.goes_on()
        program.detach()
        program.wait_until(program.is_left_alone, "a segment or a thread of ours stays")
    program.end()


# ---- what comes in between ----


def test_exit_race(perform):
    chance = random.Random(3)
    for _ in range(CYCLES * 2):
        program = perform("short life", life_us=chance.randrange(1000, 300000))
        time.sleep(chance.random() * 0.06)
        result = tscap("attach", program.pid)
        program.account.take(result)
        assert result.returncode in (0, 3) or "the process is ending" in result.stderr, result.stderr
        assert program.process.wait(PATIENCE) == 0, (result.stderr, program.said())


def kill_all(process, number):
    """The command, and what it has started to do the work."""
    for pid in [process.pid, *children(process.pid)]:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere a thread does not come back by itself")
@pytest.mark.parametrize("scene", ["busy", "sleep", "9 threads", "malloc", "registers"])
def test_injector_killed(perform, scene):
    program = perform(scene, wakes=scene == "sleep")
    chance = random.Random(scene)
    for number in range(CYCLES * 2):
        command = subprocess.Popen([TSCAP, "attach", str(program.pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.random() * 0.04)
        kill_all(command, signal.SIGKILL)
        command.wait()
        program.goes_on()
    program.cycle()
    program.end()


def test_command_interrupted(perform):
    """^C of tscap attach: it ends, and the program does not notice."""
    program = perform("9 threads")
    chance = random.Random(5)
    for number in range(CYCLES):
        command = subprocess.Popen([TSCAP, "attach", str(program.pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.random() * 0.04)
        command.send_signal(signal.SIGINT)
        assert command.wait(PATIENCE) in (0, -signal.SIGINT)
        program.goes_on()
    program.cycle()
    program.end()


def test_signal_while_stopped(perform):
    """One that comes while the thread is ours ends the sleep that it was in, as any signal with a handler: not the next one does.
    It may come too late, so that some attaches are without."""
    program = perform("woken", wakes=True)
    attaches = 0
    while program.words[scenes.HELD] < CYCLES:
        program.attach("--method", "ptrace")
        program.wait_until(lambda: program.words[scenes.WOKEN] == program.words[scenes.SENT], "a signal is not heard")
        program.detach()
        attaches += 1
        assert attaches < 30 * CYCLES, "%d of %d attaches met a signal" % (program.words[scenes.HELD], attaches)
    program.end()


def test_interrupts(perform):
    """^C of the program while it is attached to: each raises KeyboardInterrupt once. One that comes in a callback of the import
    system has nobody to go to, and Python says so: as with any import. (What comes while CPython 3.14 begins to run a script
    for a debugger is lost, whoever asks it to.)"""

    def seen():
        return program.words[scenes.INTERRUPTS] + program.said().count("\nKeyboardInterrupt")

    options = ["--method", "ptrace"] if sys.version_info >= (3, 14) else []
    program = perform("interrupts")
    chance = random.Random(7)
    sent = 0
    for number in range(CYCLES):
        command = subprocess.Popen([TSCAP, "attach", str(program.pid), *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while command.poll() is None:
            time.sleep(chance.random() * 0.004)
            os.kill(program.pid, signal.SIGINT)
            sent += 1
            program.wait_until(lambda: seen() >= sent, "no KeyboardInterrupt")
            program.goes_on()
        message = command.communicate()[1]
        assert command.returncode == 0, message
        program.account.attached += 1
        assert seen() == sent, program.said()
        program.detach()
    program.end()
