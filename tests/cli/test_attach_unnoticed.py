"""What a program can notice of being attached to: nothing that it is told of imports, and its own import of the package is as
if nobody had been there."""
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from conftest import LIMIT
from processes import await_threads, environment_without_us, needs_tracing

pytestmark = needs_tracing

PACKAGE = pathlib.Path(importlib.util.find_spec("timestamp_capture").origin).parent


def calls(tscap, pid):
    sites = tscap("dump", "--json", pid).json["sites"]
    return {site["name"]: site["calls"] for site in sites if site["calls"]}


WATCHED = """
import atexit, builtins, gc, sys, warnings
heard = []
class Finder:
    def find_spec(name, *more): heard.append(("find", name))
    def find_module(name, *more): heard.append(("find", name))
def import_heard(name, *more): heard.append(("import", name)); return imports(name, *more)
def path_hook(path): heard.append(("path", path)); raise ImportError
def audit(event, arguments):
    if event in ("import", "open") and listening: heard.append((event, arguments))
def seen():
    return list(sys.modules), sorted(sys.path_importer_cache), sys.path[:], sys.meta_path[:], sys.path_hooks[:], warnings.filters[:]
imports, builtins.__import__, listening = __import__, import_heard, False
sys.meta_path.insert(0, Finder); sys.path_hooks.insert(0, path_hook); sys.addaudithook(audit); warnings.simplefilter("error")
"""


def test_imports(tscap, plain):
    """By finders, hooks and lists of the import system, `__import__`, audit hooks, warnings."""
    for line in ("; ".join(WATCHED.split("\n")[1:3]), "exec(%r)" % WATCHED, "before, listening = seen(), True"):
        plain.do(line)
    assert tscap("attach", plain.pid).code == 0
    plain.do("parent(3)")
    assert calls(tscap, plain.pid)["leaf"] == 3
    assert tscap("detach", plain.pid).code == 0
    plain.do("assert not heard, heard")
    plain.do("assert seen() == before, (seen(), before)")
    assert plain.end() == 0


LOOPS = """
import atexit, gc, sys, threading
threading.Thread(target=sys.stdin.read).start()
print("ready", flush=True)
while threading.active_count() > 1:
    for name in sys.modules: pass
"""


def test_a_loop_over_modules(tscap, start_program):
    """Which ends by an exception when a module comes."""
    program = start_program(sys.executable, "-c", LOOPS, env=environment_without_us())
    program.expect("ready")
    for _ in range(3):
        assert tscap("attach", program.pid).code == 0
        assert tscap("detach", program.pid).code == 0
    assert program.end() == 0


BARE = """
import sys
keep = {"sys", "builtins", "__main__", "codecs", "posix", "_imp", "_thread", "_weakref", "_warnings", "_io", "marshal", "_frozen_importlib", "_frozen_importlib_external"}
for name in set(sys.modules) - keep: del sys.modules[name]
sys.meta_path.clear(), sys.path.clear(), sys.path_hooks.clear(), sys.path_importer_cache.clear()
def work(): pass
print("ready", flush=True)
for line in sys.stdin: work(); print("done", flush=True)
"""


def test_no_library_at_all(tscap, start_program):
    """As programs that were frozen with just the modules they use."""
    program = start_program(sys.executable, "-I", "-S", "-c", BARE, env=environment_without_us())
    program.expect("ready")
    assert tscap("attach", program.pid).code == 0
    program.tell("")
    program.expect("done")
    assert calls(tscap, program.pid) == {"work": 1}
    assert program.end() == 0


CONFTEST = """
import os, subprocess, pytest
subprocess.run([os.environ["TSCAP"], "attach", str(os.getpid())], check=True)
pytest.register_assert_rewrite("timestamp_capture")
"""
TEST = """
from timestamp_capture import Timestamp_Collector, timestamp
@timestamp
def work(): pass
def test_work():
    with Timestamp_Collector() as collector: work()
    assert [timing.call_count for timing in collector.get_method_timings().values()] == [1]
"""


def test_pytest_that_starts_under_errors_for_warnings(tmp_path):
    """It warns of packages that were imported before it could rewrite them."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_work.py").write_text(TEST)
    command = [sys.executable, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stdout + done.stderr


USE = "@timestamp_capture.timestamp\ndef work(): pass\n"


def import_ours(program, folder):
    """The program's own import, from a folder of its choice; what it is for works."""
    program.do("import sys; sys.path.insert(0, %r); import timestamp_capture; from timestamp_capture import Timestamp_Collector" % str(folder))
    program.do("exec(%r)" % USE)
    program.do("collector = Timestamp_Collector()")
    program.do("collector.__enter__(); work(); collector.__exit__(None, None, None)")
    program.do("assert collector.get_method_timings()['work'].call_count == 1, collector.get_method_timings()")
    program.do("assert timestamp_capture.status()['recorder'] == 'compiled', timestamp_capture.status()")


@pytest.mark.parametrize("copied", [False, True], ids=["the same file", "a copy of it"])
@pytest.mark.parametrize("detached", [False, True], ids=["attached", "detached"])
def test_its_own_import(tscap, plain, tmp_path, run_directory, detached, copied):
    """Later, whatever was brought in before: one recorder, one segment, and it stays the program's."""
    folder = PACKAGE.parent
    if copied:
        shutil.copytree(PACKAGE, tmp_path / "timestamp_capture")
        folder = tmp_path
    plain.do("import os; os.environ['TSCAP_DIR'] = %r" % str(run_directory))
    assert tscap("attach", plain.pid).code == 0
    if detached:
        assert tscap("detach", plain.pid).code == 0
    import_ours(plain, folder)
    if not detached:
        assert tscap("detach", plain.pid).code == 0
    assert len(list(run_directory.glob("*.tscap"))) == 1
    assert tscap("start", plain.pid).code == 0
    plain.do("work(); leaf()")
    assert calls(tscap, plain.pid)["work"] == 2, "that of the collector, too"
    assert tscap("attach", plain.pid).code == 0
    plain.do("leaf()")
    assert calls(tscap, plain.pid)["leaf"] == 1
    assert tscap("detach", plain.pid).code == 0
    await_threads(plain.pid, lambda name: name != "tscap-attach")  # which ends a moment after
    plain.do("import os, warnings; warned = []; warnings.showwarning = lambda *warning, **more: warned.append(warning)")
    plain.do("warnings.simplefilter('always'); pid = os.fork() or sys.exit(); os.waitpid(pid, 0)")
    plain.do("assert not warned, warned")
    assert plain.end() == 0
    assert not list(run_directory.iterdir())


def test_its_own_import_of_another_version(tscap, plain, tmp_path):
    """The two cannot work side by side: the program's decorators do what they can without."""
    package = shutil.copytree(PACKAGE, tmp_path / "timestamp_capture")
    (library,) = package.glob("_core.*.so")
    version = subprocess.run([os.environ["TSCAP"], "--version"], capture_output=True, text=True, check=True).stdout.split()[-1].encode()
    code = library.read_bytes()
    assert code.count(version + b"\0")
    library.write_bytes(code.replace(version + b"\0", b"9" + version[1:] + b"\0"))
    assert tscap("attach", plain.pid).code == 0
    plain.do("import sys; sys.path.insert(0, %r); import timestamp_capture" % str(tmp_path))
    plain.do("assert 'version %s of the recorder was attached' in timestamp_capture.status()['reason'], timestamp_capture.status()" % version.decode())
    plain.do("parent(2)")
    assert calls(tscap, plain.pid)["leaf"] == 2
    assert plain.end() == 0
