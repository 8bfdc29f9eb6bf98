"""Other tools that watch the same code at the same time: both see what they would see alone."""
import cProfile
import ctypes
import pstats
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
    """They are not recorded, and do not harm."""
    p = program(SUBINTERPRETER)
    p.wait()
    assert p.dump().check().counts() == {"f": 3}
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
