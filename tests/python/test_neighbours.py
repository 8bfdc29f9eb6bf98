"""Other tools that watch the same code at the same time: both see what they would see alone."""
import bdb
import cProfile
import ctypes
import io
import pdb
import profile
import pstats
import re
import sys

import pytest

from timestamp_capture import timestamp


@timestamp("leaf")
def leaf(n=0):
    return n


@timestamp("parent")
def parent():
    for i in range(10):
        leaf(i)


@timestamp("raises")
def raises():
    leaf()
    raise KeyError


@timestamp("numbers")
def numbers():
    yield leaf()
    yield leaf()


def work():
    parent()
    list(numbers())
    try:
        raises()
    except KeyError:
        pass
    [leaf(i) for i in range(3)]


WORK = {"leaf": 16, "parent": 1, "raises": 1, "numbers": 1}


def profiled():
    profile = cProfile.Profile()
    for _ in range(20):
        profile.runcall(work)
    return {key[2]: counts[:2] for key, counts in pstats.Stats(profile).stats.items() if key[2] in WORK}


def test_cprofile(recording):
    alone = profiled()
    with recording:
        assert profiled() == alone
    assert recording.profile.check().counts() == {name: 20 * calls for name, calls in WORK.items()}


def with_tracer(setter, trace):
    setter(trace)
    try:
        work()
    finally:
        setter(None)


@pytest.mark.parametrize("setter", [sys.settrace, sys.setprofile])
def test_tracers(recording, setter):
    def trace(frame, event, argument):
        return trace

    with recording:
        work()
        with_tracer(setter, trace)
        work()
    assert recording.profile.check().counts() == {name: 3 * calls for name, calls in WORK.items()}


def test_tracer_that_calls_recorded_code(recording):
    def trace(frame, event, argument):
        if event == "call" and frame.f_code is parent.__code__:
            leaf()

    with recording:
        with_tracer(sys.setprofile, trace)
    inside = sys.version_info < (3, 12)  # from then on nothing is monitored while a tracer runs
    assert recording.profile.check().counts() == {**WORK, "leaf": WORK["leaf"] + inside}


# ---- 3.12 and later: other tools of sys.monitoring ----


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is of 3.12")
@pytest.mark.parametrize("tool", [0, 1, 2, 5])
@pytest.mark.parametrize("order", ["before", "after"])
def test_another_tool(recording, tool, order):
    seen = []
    monitoring, events = sys.monitoring, sys.monitoring.events

    def begin():
        monitoring.use_tool_id(tool, "neighbour")
        monitoring.register_callback(tool, events.PY_START, lambda code, offset: seen.append(code.co_name))
        monitoring.register_callback(tool, events.LINE, lambda code, line: monitoring.DISABLE)
        for function in (leaf, parent):
            monitoring.set_local_events(tool, function.__code__, events.PY_START | events.LINE)

    def end():
        for function in (leaf, parent):
            monitoring.set_local_events(tool, function.__code__, 0)
        monitoring.free_tool_id(tool)

    if order == "before":
        begin()
    with recording:
        if order == "after":
            begin()
        work()
        if order == "after":
            end()
        work()
    work()
    if order == "before":
        end()
    assert recording.profile.check().counts() == {name: 2 * calls for name, calls in WORK.items()}
    turns = 3 if order == "before" else 1
    assert (seen.count("leaf"), seen.count("parent")) == (turns * WORK["leaf"], turns * WORK["parent"])


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is of 3.12")
def test_restarted_events(recording):
    """A coverage tool that starts over re-arms what it disabled; we disable nothing."""
    with recording:
        work()
        sys.monitoring.restart_events()
        work()
    assert recording.profile.check().counts() == {name: 2 * calls for name, calls in WORK.items()}


# ---- tools that come before us or after us, and go before us or after us ----

WATCHED = ("leaf", "parent", "raises")


class Tracer:
    """Debuggers and profilers in Python: sys.settrace, sys.setprofile."""

    def __init__(self, setter):
        self.setter = setter
        self.calls = dict.fromkeys(WATCHED, 0)

    def __call__(self, frame, event, argument):
        if event == "call" and frame.f_code.co_filename == __file__ and frame.f_code.co_name in WATCHED:
            self.calls[frame.f_code.co_name] += 1
        return self

    def begin(self):
        self.setter(self)

    def end(self):
        self.setter(None)


class CProfile:
    def __init__(self):
        self.profile = cProfile.Profile()
        self.begin, self.end = self.profile.enable, self.profile.disable

    @property
    def calls(self):
        stats = pstats.Stats(self.profile).stats
        return {name: sum(row[1] for key, row in stats.items() if key[0] == __file__ and key[2] == name) for name in WATCHED}


class Monitor:
    """A debugger of 3.12 and later: all lines and calls, by sys.monitoring."""

    def __init__(self):
        self.tool, self.events = sys.monitoring.DEBUGGER_ID, sys.monitoring.events
        self.calls, self.lines = dict.fromkeys(WATCHED, 0), 0

    def started(self, code, offset):
        if code.co_filename == __file__ and code.co_name in WATCHED:
            self.calls[code.co_name] += 1

    def line(self, code, number):
        self.lines += code is leaf.__code__

    def begin(self):
        sys.monitoring.use_tool_id(self.tool, "debugger")
        sys.monitoring.register_callback(self.tool, self.events.PY_START, self.started)
        sys.monitoring.register_callback(self.tool, self.events.LINE, self.line)
        sys.monitoring.set_events(self.tool, self.events.PY_START | self.events.LINE)

    def end(self):
        sys.monitoring.set_events(self.tool, 0)
        sys.monitoring.free_tool_id(self.tool)
        assert self.lines == self.calls["leaf"], "one line in it"


class Pdb:
    """A breakpoint in the first line of some functions, passed by `continue`."""

    def __init__(self):
        self.pdb = pdb.Pdb(stdin=io.StringIO("continue\n" * 10000), stdout=io.StringIO(), nosigint=True, readrc=False)
        self.lines = {function.__code__.co_firstlineno + 2: function.__name__ for function in (leaf, raises)}

    @property
    def calls(self):
        return {self.lines[b.line]: b.hits for b in self.breaks}

    def begin(self):
        for line in self.lines:
            assert self.pdb.set_break(__file__, line) is None
        self.breaks = [b for (file, line), found in bdb.Breakpoint.bplist.items() for b in found if line in self.lines]
        self.pdb.reset()
        self.pdb.botframe = sys._getframe()
        self.pdb.set_continue()
        sys.settrace(self.pdb.trace_dispatch)

    def end(self):
        sys.settrace(None)
        self.pdb.clear_all_breaks()


TOOLS = {
    "settrace": lambda: Tracer(sys.settrace),
    "setprofile": lambda: Tracer(sys.setprofile),
    "cProfile": CProfile,
    "pdb": Pdb,
    "monitoring": Monitor,
}


def turns(ours, theirs, first, last):
    """Work is done after each step; how often while each of the two was there."""
    there = set()
    done = {ours: 0, theirs: 0}
    other = {ours: theirs, theirs: ours}
    for one, step in ((first, "begin"), (other[first], "begin"), (last, "end"), (other[last], "end")):
        getattr(one, step)()
        (there.add if step == "begin" else there.remove)(one)
        work()
        for present in there:
            done[present] += 1
    return done[ours], done[theirs]


class Ours:
    def __init__(self, recording):
        self.recording = recording

    def begin(self):
        self.recording.__enter__()

    def end(self):
        self.recording.__exit__()


@pytest.mark.parametrize("goes", ["we go first", "it goes first"])
@pytest.mark.parametrize("comes", ["we come first", "it comes first"])
@pytest.mark.parametrize("name", TOOLS)
def test_tools(recording, name, comes, goes):
    if name == "monitoring" and sys.version_info < (3, 12):
        pytest.skip("sys.monitoring is of 3.12")
    ours, theirs = Ours(recording), TOOLS[name]()
    first, last = (ours if text.startswith("we") else theirs for text in (comes, goes))
    our_turns, their_turns = turns(ours, theirs, first, last)
    assert recording.profile.check().counts() == {function: our_turns * calls for function, calls in WORK.items()}
    assert theirs.calls == {function: their_turns * WORK[function] for function in theirs.calls}


def test_profile_of_the_standard_library(recording):
    """profile, which is Python itself, around recording and within it."""
    for outside in (True, False):
        outer = profile.Profile()
        with recording:
            if not outside:
                outer.runcall(work)
        if outside:
            with recording:
                pass
            outer.runcall(lambda: (recording.__enter__(), work(), recording.__exit__()))
        assert recording.profile.check().counts() == WORK
        stats = {key[2]: counts[1] for key, counts in pstats.Stats(outer).stats.items() if key[0] == __file__}
        assert {name: stats[name] for name in WATCHED} == {name: WORK[name] for name in WATCHED}


COVERED = """
    import coverage, os, sys, timestamp_capture
    from timestamp_capture import timestamp

    @timestamp
    def even(n):
        if n % 2:
            return False
        return True

    @timestamp
    def never():
        return 1

    def lines(tool):
        executed = tool.get_data().lines(os.path.abspath(__file__))
        first = even.__code__.co_firstlineno
        return sorted(line - first for line in executed if first < line <= first + 12)

    def covered(first, last, values):
        tool = coverage.Coverage(data_file=None, config_file=False, include=[os.path.abspath(__file__)])
        steps = {"we": (timestamp_capture.start, timestamp_capture.stop), "it": (tool.start, tool.stop)}
        other = {"we": "it", "it": "we"}
        steps[first][0](); steps[other[first]][0]()
        for n in values: even(n)
        steps[last][1](); steps[other[last]][1]()
        return lines(tool)

    __file__ = sys.argv[0] if not globals().get("__file__") else __file__
    seen = [(covered(first, last, range(100)), covered(first, last, range(0, 100, 2)))
            for first in ("we", "it") for last in ("we", "it")]
    checkpoint(seen=seen)
"""


@pytest.mark.parametrize("core", ["ctrace", "pytrace", "sysmon"])
def test_coverage(program, core):
    """The same lines as without us, of code that is decorated, and each call counted."""
    pytest.importorskip("coverage")
    if core == "sysmon" and sys.version_info < (3, 12):
        pytest.skip("sys.monitoring is of 3.12")
    p = program(COVERED, environment={"COVERAGE_CORE": core})
    for odd, even in p.wait()["seen"]:
        assert odd == [2, 3, 4] and even == [2, 4]
    assert p.dump().check().counts() == {"even": 4 * 150}
    p.finish()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is of 3.12")
def test_every_tool_id_is_taken(program):
    """A clear error in the process and outside of it; nothing is half begun, and it works as soon as one is free."""
    p = program(
        """
        import sys, timestamp_capture
        from timestamp_capture import Timestamp_Collector, timestamp
        @timestamp
        def f(): pass
        for tool in range(6): sys.monitoring.use_tool_id(tool, f"tool {tool}")
        errors = []
        try: timestamp_capture.start()
        except RuntimeError as e: errors.append(str(e))
        try:
            with Timestamp_Collector(): pass
        except RuntimeError as e: errors.append(str(e))
        f()
        checkpoint(errors=errors, running=timestamp_capture.is_running(), consumers=timestamp_capture.status()["consumers"])
        sys.monitoring.free_tool_id(1)
        checkpoint()
        f()
        checkpoint()
        """
    )
    report = p.wait()
    assert len(report["errors"]) == 2 and report["running"] is False and report["consumers"] == 0
    assert all("all six tool ids of sys.monitoring are in use" in error for error in report["errors"])
    done = p.tscap("start", check=False)
    assert done.returncode == 1 and done.stdout == ""
    what, why, remedy = done.stderr.splitlines()
    assert what == "tscap: cannot start %d" % p.pid and "all six tool ids" in why and remedy.startswith("  try: ")
    assert re.search("^state +dormant$", p.tscap("status").stdout, re.M)
    p.go()
    p.wait()
    p.tscap("start")
    p.go()
    p.wait()
    assert p.dump().check().counts() == {"f": 1}
    p.tscap("stop")
    p.finish()


# ---- until 3.11: other frame-evaluation hooks ----


DISPLACED = """
    import ctypes, timestamp_capture

    @timestamp_capture.timestamp
    def f(): pass

    api = ctypes.pythonapi
    api.PyInterpreterState_Get.restype = ctypes.c_void_p
    setter = api._PyInterpreterState_SetEvalFrameFunc
    setter.argtypes, setter.restype = (ctypes.c_void_p, ctypes.c_void_p), None
    timestamp_capture.start()
    f()
    setter(api.PyInterpreterState_Get(), ctypes.cast(api._PyEval_EvalFrameDefault, ctypes.c_void_p))
    f()
    assert timestamp_capture.status()["displaced"] == 1
    f()
    checkpoint()
"""


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="no such hook is used from 3.12 on")
def test_displaced_by_another_hook(program):
    """One that does not call on hides all code from us: status() says so and puts ours back on top. In a process of its
    own: that it happened is never forgotten."""
    p = program(DISPLACED)
    p.wait()
    profile = p.dump()
    assert profile["losses"]["displaced"] == 1
    assert profile.counts() == {"f": 2}
    p.finish()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="no such hook is used from 3.12 on")
def test_hook_is_gone_when_nobody_records(recording):
    api = ctypes.pythonapi
    api.PyInterpreterState_Get.restype = ctypes.c_void_p
    getter = api._PyInterpreterState_GetEvalFrameFunc
    getter.argtypes, getter.restype = (ctypes.c_void_p,), ctypes.c_void_p
    usual = getter(api.PyInterpreterState_Get())
    with recording:
        assert getter(api.PyInterpreterState_Get()) != usual
    assert getter(api.PyInterpreterState_Get()) == usual


# ---- other interpreters in the process ----

SUBINTERPRETER = """
    import timestamp_capture
    from timestamp_capture import timestamp
    try: import _xxsubinterpreters as interpreters
    except ImportError: import _interpreters as interpreters

    @timestamp
    def f(): pass

    timestamp_capture.start()
    f()
    other = interpreters.create()
    try:
        interpreters.run_string(other, "def g(): pass\\nfor _ in range(1000): g()")
        try: interpreters.run_string(other, "import timestamp_capture")
        except Exception: pass
    finally: interpreters.destroy(other)
    f()
    timestamp_capture.stop()
    timestamp_capture.start()
    f()
    checkpoint()
"""


def test_other_interpreters(program):
    """They are not recorded, which is said, and do not harm."""
    p = program(SUBINTERPRETER)
    p.wait()
    profile = p.dump(check=False)
    profile.check_sums()
    assert profile.counts() == {"f": 3}
    assert not profile["complete"] and list(profile.losses()) == ["interpreters"]
    p.finish()


def test_module_imported_again(program):
    """Copies of the module: test runners clear sys.modules."""
    p = program(
        """
        import sys, timestamp_capture
        @timestamp_capture.timestamp
        def f(): pass
        for name in [name for name in sys.modules if name.startswith("timestamp_capture")]: del sys.modules[name]
        import timestamp_capture as again
        @again.timestamp
        def g(): pass
        again.start()
        f(), g(), g()
        checkpoint()
        """
    )
    p.wait()
    assert p.dump().counts().get("g") == 2
    p.finish()
