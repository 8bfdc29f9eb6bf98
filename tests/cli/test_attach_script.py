"""tscap attach to a CPython 3.14 or later: by a script that its threads are asked to run (PEP 768), else through one of
them."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import HERE, LIMIT, NOBODY, TSCAP
from processes import environment_without_us

pytestmark = pytest.mark.skipif(sys.version_info < (3, 14), reason="PEP 768 came with 3.14")
CYCLES = int(os.environ.get("ATTACH_CYCLES", "3"))
RUNS = ["busy", "join_busy", "nine", "churn", "signals", "asyncio_busy"]
WAITS = ["sleep", "accept", "join", "wait_for_queue", "asyncio_idle"]


@pytest.fixture
def start_scene(start_program):
    def start(name, *options, **environment):
        program = start_program(sys.executable, *options, str(HERE / "scenes.py"), name, env={**environment_without_us(), **environment})
        program.expect("ready")
        return program

    return start


@pytest.fixture(autouse=True)
def nothing_stays():
    """No script folder of ours; those of other runs of these tests beside this one go soon, too."""
    before = set(pathlib.Path("/tmp").glob("tscap-*"))
    yield
    mine = set(pathlib.Path("/tmp").glob("tscap-*")) - before
    wait_until(lambda: not any(path.exists() for path in mine))


def beats(tscap, program):
    profile = tscap("dump", program.pid, "--json").json
    return sum(site["calls"] for site in profile["sites"] if site["name"] == "beat")


def wait_until(condition):
    deadline = time.monotonic() + LIMIT
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()


def cycle(tscap, program, *options):
    """Attach, see it recording, detach."""
    result = tscap("attach", program.pid, *options)
    assert result.code == 0, result
    program.signal(signal.SIGUSR1)
    wait_until(lambda: beats(tscap, program) > 0)
    assert tscap("detach", program.pid).code == 0
    wait_until(lambda: tscap("status", program.pid).code in (3, 5))
    assert program.process.poll() is None
    return result


def ends_well(program):
    program.signal(signal.SIGTERM)
    return program.process.wait(60) == 0


@pytest.mark.parametrize("scene", RUNS + WAITS)
def test_again_and_again(tscap, start_scene, scene):
    program = start_scene(scene)
    for _ in range(CYCLES):
        cycle(tscap, program)
    assert ends_well(program)


@pytest.mark.parametrize("scene", RUNS)
def test_by_a_script_alone(tscap, start_scene, scene):
    program = start_scene(scene)
    for _ in range(CYCLES):
        cycle(tscap, program, "--method", "pep768", "--timeout", "60")
    assert ends_well(program)


@pytest.mark.parametrize("scene", ["busy", "sleep", "nine"])
def test_by_ptrace_alone(tscap, start_scene, scene):
    program = start_scene(scene)
    assert "stopped for" in cycle(tscap, program, "--method", "ptrace").err
    assert ends_well(program)


def test_no_thread_is_stopped_for_a_busy_one(tscap, start_scene):
    program = start_scene("busy")
    assert "no thread of it was stopped" in cycle(tscap, program, "--method", "pep768", "--timeout", "60").err


def test_dry_run_says_how(tscap, start_scene):
    program = start_scene("busy")
    assert "PEP 768" in tscap("attach", program.pid, "--dry-run").out
    assert "would be made to load" in tscap("attach", program.pid, "--dry-run", "--method", "ptrace").out


@pytest.mark.parametrize("how", [{"options": ["-X", "disable-remote-debug"]}, {"environment": {"PYTHON_DISABLE_REMOTE_DEBUG": "1"}}])
def test_where_its_administrator_forbids_it(tscap, start_scene, how):
    program = start_scene("busy", *how.get("options", []), **how.get("environment", {}))
    result = tscap("attach", program.pid).is_error(5)
    assert "disabled" in result.what and "--method ptrace" in result.remedy
    assert "timestamp_capture" not in open("/proc/%d/maps" % program.pid).read()
    result = tscap("doctor", program.pid)
    assert result.code == 5 and "disabled" in result.out
    cycle(tscap, program, "--method", "ptrace")


def test_nobody_comes_by(tscap, start_scene):
    program = start_scene("join")
    result = tscap("attach", program.pid, "--method", "pep768", "--timeout", "0.2").is_error(124)
    assert "--method ptrace" in result.remedy
    program.signal(signal.SIGUSR1)  # what runs now is asked no more
    time.sleep(0.1)
    assert "timestamp_capture" not in open("/proc/%d/maps" % program.pid).read()
    cycle(tscap, program)


def test_interrupt_after_nobody_came_by(tscap, start_scene):
    """Asked, a main thread that waits would lose a ^C."""
    program = start_scene("sleep")
    tscap("attach", program.pid, "--method", "pep768", "--timeout", "0.1").is_error(124)
    program.signal(signal.SIGINT)
    assert program.process.wait(60) == -signal.SIGINT


def test_interrupt_while_attaching(tscap, start_scene):
    """A main thread that waits is not asked: it is interrupted as ever."""
    for scene in ("sleep", "join_busy"):
        program = start_scene(scene)
        with subprocess.Popen([TSCAP, "attach", str(program.pid)], stderr=subprocess.PIPE) as command:
            program.signal(signal.SIGINT)
            assert program.process.wait(60) == -signal.SIGINT
            command.stderr.read()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
def test_another_users(tscap, public_package, start_program):
    """The script is that user's to read, and nobody else's."""
    packages = public_package / "venv" / "lib" / ("python3.%d" % sys.version_info[1]) / "site-packages"
    shutil.copytree(public_package / "timestamp_capture", packages / "timestamp_capture")
    shutil.copy(HERE / "scenes.py", public_package)
    command = shutil.copy(TSCAP, public_package)  # which finds no build beside it
    subprocess.run(["chmod", "-R", "a+rX", str(public_package)], check=True)
    become = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"]
    environment = {"PATH": os.environ["PATH"], "VIRTUAL_ENV": str(public_package / "venv"), "TSCAP_DIR": str(public_package / "run")}
    (public_package / "run").mkdir(mode=0o700)
    os.chown(public_package / "run", NOBODY, NOBODY)
    program = start_program(*become, sys.executable, str(public_package / "scenes.py"), "busy", env=environment)
    program.expect("ready")
    changed = {name: value for name, value in os.environ.items() if name not in ("TSCAP_BUILD", "TSCAP_DIR")}
    order = [command, "attach", str(program.pid), "--method", "pep768", "--timeout", "60"]
    result = subprocess.run(order, env={**changed, "TSCAP_DIR": environment["TSCAP_DIR"]}, capture_output=True, text=True)
    assert result.returncode == 0, result
    assert str(packages) in open("/proc/%d/maps" % program.pid).read()
    tscap("detach", program.pid, TSCAP_DIR=environment["TSCAP_DIR"])
