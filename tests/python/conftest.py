"""The Python suite: the package in this interpreter, read by the real command from outside.

Environment: TSCAP (the command), TSCAP_DIR (a private directory), PYTHONPATH (the package); `make check-python` sets them.
Run by hand, the release build and a directory in memory serve.
"""
import os
import shutil
import sysconfig
import tempfile

ROOT = os.environ.get("TSCAP_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("TSCAP", os.path.join(ROOT, "build", "release", "tscap"))
if "TSCAP_DIR" not in os.environ:
    os.environ["TSCAP_DIR"] = tempfile.mkdtemp(prefix="tscap-test.", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
for name in ("TSCAP_DISABLE", "TSCAP_KEEP", "TSCAP_RING", "TSCAP_MEMORY", "TSCAP_NODES", "TSCAP_CPU", "TSCAP_CLOCK"):
    os.environ.pop(name, None)

import pytest

import fallback
import shapes
import timestamp_capture
from timestamp_capture.stichotrope import _pure
from forest import compared
from program import Program
from reading import FROM_OUTSIDE, dump


PURE = not FROM_OUTSIDE
collect_ignore = fallback.ignored_files() if PURE else []


def pytest_collection_modifyitems(items):
    if PURE:
        fallback.mark_skips(items)


def pytest_ignore_collect(collection_path):
    """A free-threaded build records nothing: all there is to test is that it says so."""
    if not collection_path.name.startswith("test_"):
        return None
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    return True if free_threaded != (collection_path.name == "test_free_threaded.py") else None


def pytest_terminal_summary(terminalreporter):
    if compared["programs"]:
        terminalreporter.write_line("{programs} random programs, {events} events compared with an oracle".format(**compared))
    if shapes.compared["shapes"]:
        terminalreporter.write_line("{shapes} shapes of calls, {calls} calls compared with the program's own count".format(**shapes.compared))


@pytest.fixture
def run_directory(monkeypatch):
    """An empty run directory for the programs of this test."""
    path = tempfile.mkdtemp(dir=os.environ["TSCAP_DIR"])
    monkeypatch.setenv("TSCAP_DIR", path)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def program(run_directory, tmp_path):
    """Starts programs: program(source, environment={...}) -> Program."""
    if PURE:
        pytest.skip("a program that tscap reads: the recorder in pure Python has nothing for it")
    started = []

    def start(source, **options):
        started.append(Program(source, path=tmp_path / f"program{len(started)}.py", **options))
        return started[-1]

    yield start
    for one in started:
        one.clean_up()


class Recording:
    """`with recording as profile:` records in this process; afterwards it can be asked what was recorded."""

    def __enter__(self):
        timestamp_capture.reset()
        assert timestamp_capture.start()
        return self

    def __exit__(self, *exception):
        timestamp_capture.stop()

    @property
    def profile(self):
        return dump(os.getpid())


@pytest.fixture(params=["compiled", "python"])
def recorder(request, monkeypatch):
    """Each recorder that a Profiler can have here."""
    if request.param == "compiled":
        if PURE:
            pytest.skip("there is no compiled recorder")
    else:
        monkeypatch.setattr("timestamp_capture.stichotrope.profiler.make_recorder", lambda name, set_enabled: _pure.Recorder())
    return request.param


@pytest.fixture
def recording():
    yield fallback.Recording() if PURE else Recording()
    timestamp_capture.stop()
    timestamp_capture.reset()
