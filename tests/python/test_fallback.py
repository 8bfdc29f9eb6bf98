"""The recorder in pure Python: when it is chosen, what it says, and how it gets along with other profile functions. That it
records what the compiled one does is for the rest of the suite to say, which runs again with TSCAP_PURE=1."""
import ast
import cProfile
import importlib.machinery
import inspect
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import pytest

import fallback
import timestamp_capture
from reading import FROM_OUTSIDE
from timestamp_capture import Timestamp_Collector, _pure, timestamp, timestamp_block

HERE = pathlib.Path(__file__).parent
PACKAGE = pathlib.Path(timestamp_capture.__file__).parent
pure_only = pytest.mark.skipif(FROM_OUTSIDE, reason="of the recorder in pure Python: runs with TSCAP_PURE=1")


@timestamp
def leaf():
    pass


@timestamp
def twice():
    leaf()
    leaf()


def calls(collector):
    return {name: n for name, n, *_ in collector.timings()}


def run(code, *, path=PACKAGE.parent, **environment):
    """What the code prints, in an interpreter of its own; it must end well and complain of nothing."""
    environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONWARNINGS": "default", **environment}
    done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.strip()


# ---- the same interface ----


# Of statistics, which are made in Python where these are not: only that is faster.
FASTER = {"_add_up", "_stats", "_rest"}


def declared():
    """(name, None or a function's arguments, members) of all that the compiled recorder's stub declares."""
    for node in ast.parse((PACKAGE / "_core.pyi").read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name in FASTER:
            continue
        if isinstance(node, ast.FunctionDef):
            yield node.name, [a.arg for a in node.args.posonlyargs + node.args.args], []
        elif isinstance(node, ast.ClassDef):
            yield node.name, None, [member for member in node.body if isinstance(member, ast.FunctionDef)]


@pytest.mark.parametrize("name, arguments, members", list(declared()), ids=lambda x: x if isinstance(x, str) else "")
def test_it_has_what_the_compiled_one_has(name, arguments, members):
    ours = getattr(_pure, name)
    if arguments is not None:
        assert list(inspect.signature(ours).parameters) == arguments
    for member in members:
        attribute = getattr(ours, member.name) if member.name == "__new__" else inspect.getattr_static(ours, member.name)
        is_property = any(isinstance(d, ast.Name) and d.id == "property" for d in member.decorator_list)
        assert isinstance(attribute, property) == is_property, member.name
        if not is_property:
            named = [a.arg for a in member.args.posonlyargs + member.args.args]
            assert list(inspect.signature(attribute).parameters)[: len(named)] == named, member.name


@pytest.mark.skipif(not FROM_OUTSIDE, reason="needs both recorders")
def test_both_are_of_one_version():
    assert timestamp_capture.__version__ == _pure.VERSION
    assert set(timestamp_capture.status()) >= set(_pure.status())


def test_the_list_of_skips_is_up_to_date():
    for name, reason in fallback.skips():
        file, _, test = name.partition("::")
        tree = ast.parse((HERE / file).read_text())
        known = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
        assert not test or test.split("[")[0] in known, name
        assert reason, name


# ---- which one is chosen, and why ----

ASK = "import timestamp_capture as t; s = t.status(); print(s['recorder'], '|', s['reason'], '|', s['problem'])"


def test_chosen_by_the_environment():
    assert run(ASK, TSCAP_PURE="1") == "python | TSCAP_PURE is set | sessions are not recorded, only collectors: TSCAP_PURE is set"


@pytest.mark.skipif(not FROM_OUTSIDE, reason="needs the compiled recorder")
@pytest.mark.parametrize("value", ["", "0"])
def test_not_chosen(value):
    assert run(ASK, TSCAP_PURE=value) == "compiled |  |"


@pytest.fixture
def package(tmp_path):
    """A copy of the package without the compiled recorder."""
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    return tmp_path


def test_chosen_where_the_compiled_one_is_missing(package):
    recorder, reason, _ = run(ASK, path=package, TSCAP_PURE="0").split(" | ")
    assert recorder == "python" and reason.startswith("the compiled recorder is not installed for ")
    assert sys.platform in reason


def test_chosen_where_the_compiled_one_does_not_load(package):
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    (package / "timestamp_capture" / ("_core" + suffix)).write_text("for another machine")
    recorder, reason, _ = run(ASK, path=package, TSCAP_PURE="0").split(" | ")
    assert recorder == "python" and reason.startswith("the compiled recorder does not load in "), reason


def test_chosen_where_the_compiled_one_fails(package):
    (package / "timestamp_capture" / "_core.py").write_text("raise RuntimeError('no slot left')")
    recorder, reason, _ = run(ASK, path=package, TSCAP_PURE="0").split(" | ")
    assert recorder == "python" and reason.endswith("no slot left")


def test_a_program_works_without_the_compiled_one(package):
    code = """
from timestamp_capture import *
@timestamp("work")
def work(n):
    with timestamp_block("inside"):
        return n and work(n - 1)
assert start() is False and is_running() is False and stop() is False and reset() is None
with Timestamp_Collector("all") as c:
    work(4)
print([row[:2] for row in c.timings()], c.complete)
"""
    assert run(code, path=package) == "[('inside', 5), ('work', 5)] True"


def test_disabled(package):
    code = """
import sys
from timestamp_capture import *
try:
    with Timestamp_Collector(): pass
except RuntimeError as error: print(error, sys.getprofile(), status()["problem"])
"""
    expected = "timestamp_capture cannot record: TSCAP_DISABLE is set None TSCAP_DISABLE is set"
    assert run(code, path=package, TSCAP_DISABLE="1") == expected


# ---- other profile functions ----


@pytest.fixture
def profiled():
    """Events of a profile function that is there already."""
    seen = []

    def note(frame, event, argument):
        if frame.f_code in (leaf.__code__, twice.__code__):
            seen.append((frame.f_code.co_name, event))

    sys.setprofile(note)
    yield seen, note
    sys.setprofile(None)


@pure_only
def test_one_that_is_there_goes_on(profiled):
    seen, note = profiled
    with Timestamp_Collector() as c:
        twice()
    twice()
    assert sys.getprofile() is note
    sys.setprofile(None)
    assert calls(c) == {"twice": 1, "leaf": 2} and c.complete
    expected = [("twice", "call"), *[("leaf", "call"), ("leaf", "return")] * 2, ("twice", "return")]
    assert [event for event in seen if event[1] in ("call", "return")] == 2 * expected


@pure_only
def test_one_that_raises_raises_as_ever():
    def raises(frame, event, argument):
        if frame.f_code is leaf.__code__:
            raise KeyError("planted")

    sys.setprofile(raises)
    c = Timestamp_Collector()
    with pytest.raises(KeyError, match="planted"):
        with c:
            twice()
    assert sys.getprofile() is None  # the interpreter takes out what raises
    assert not c.complete and not c.is_active()


@pure_only
def test_displaced_inside():
    before = timestamp_capture.status()["displaced"]
    with Timestamp_Collector() as c:
        leaf()
        sys.setprofile(None)
        leaf()
    assert not c.complete and calls(c) == {"leaf": 1} and "Incomplete" in c.format_report()
    assert timestamp_capture.status()["displaced"] == before + 1
    with Timestamp_Collector() as c:
        leaf()
    assert c.complete and calls(c) == {"leaf": 1} and sys.getprofile() is None


@pure_only
def test_displaced_by_one_that_stays():
    def other(frame, event, argument):
        pass

    with Timestamp_Collector() as c:
        sys.setprofile(other)
    assert sys.getprofile() is other
    sys.setprofile(None)
    assert not c.complete


@pure_only
@pytest.mark.skipif(sys.version_info >= (3, 12) or fallback.PYPY, reason="there they do not meet")
def test_a_profiler_in_c_is_left_alone():
    profiler = cProfile.Profile()
    profiler.enable()
    with Timestamp_Collector() as c:
        twice()
    profiler.disable()
    assert not c.complete and calls(c) == {}
    assert {entry.code.co_name: entry.callcount for entry in profiler.getstats() if hasattr(entry.code, "co_name")}["leaf"] == 2


@pure_only
def test_nothing_is_installed_while_no_collector_is_entered():
    installed = []

    def work():
        c = Timestamp_Collector()
        installed.append(sys.getprofile())
        with c:
            installed.append(sys.getprofile() is not None)
        installed.append(sys.getprofile())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()
    assert installed == 3 * [None, True, None]


# ---- bounds ----


@pure_only
def test_names_are_bounded(monkeypatch):
    monkeypatch.setattr(_pure, "_MAX_NAMES", 100)
    with Timestamp_Collector() as c:
        for i in range(300):
            with timestamp_block(f"block {i}"):
                pass
    assert len(c.timings()) == 100 and not c.complete


@pure_only
def test_times_leave_out_what_the_recorder_took():
    """Of a call that does nothing but call, most would be ours."""

    @timestamp
    def many():
        for _ in range(5000):
            leaf()

    with Timestamp_Collector() as c:
        many()
    rows = {name: row for name, *row in c.timings()}
    _, inclusive, exclusive, *_ = rows[many.__qualname__]
    assert inclusive == exclusive + rows["leaf"][1]
    assert inclusive <= c.total_duration_ns()
