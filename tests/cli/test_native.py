"""C extensions as others make them (tests/support/native.c): events that they fire, functions of types of their own."""
import os
import sys

import pytest
from conftest import HERE
from native import build
from processes import environment_without_us, needs_tracing

pytestmark = needs_tracing
TOLD = sys.version_info >= (3, 12)  # by the interpreter: calls of such functions
NOTE = "tells of no C functions of types of their own"


@pytest.fixture(scope="session")
def extension(tmp_path_factory):
    return build(tmp_path_factory.mktemp("native"))


@pytest.fixture
def program(start_program, extension):
    """plain_app.py, with the extension."""
    environment = {**environment_without_us(), "PYTHONPATH": str(extension)}
    program = start_program(sys.executable, str(HERE / "plain_app.py"), env=environment)
    program.expect("ready")
    program.do("import functools, native")
    return program


def sites(tscap, program):
    profile = tscap("dump", program.pid, "--json").json
    return {site["name"]: site for site in profile["sites"] if site["calls"]}


# ---- events ----

CODES = ["compile('0', 'made.pyx', 'eval')", "mine.__code__", "numbers.__code__", "native", "None"]


@pytest.mark.parametrize("options", [[], ["--builtins", "--match", "*"]], ids=["python", "builtins"])
def test_events_that_c_code_fires_are_not_ours(tscap, program, options):
    """Neither begun nor ended: those around them, within them and after them are what they would be without."""
    program.do("mine, raising, results = leaf, fails, []")
    assert tscap("attach", program.pid, *options).code == 0
    for code in CODES:
        program.do("leaf = functools.partial(native.run, mine, %s)" % code)
        program.do("fails = functools.partial(native.run, raising, %s)" % code)
        program.do("parent(10); fail()")
        program.do("in_thread(parent, 3)")
    seen = sites(tscap, program)
    calls = {name: seen[name]["calls"] for name in ("parent", "leaf", "fail", "fails", "in_thread")}
    turns = len(CODES)
    assert calls == {"parent": 2 * turns, "leaf": 13 * turns, "fail": turns, "fails": turns, "in_thread": turns}
    assert {name: seen[name]["open"] for name in calls} == dict.fromkeys(calls, 0)
    assert seen["fails"]["raised"] == turns and seen["leaf"]["raised"] == 0
    assert "numbers" not in seen and "builtins.ascii" not in seen
    assert program.end() == 0


def test_they_do_not_harm_a_decorated_program(tscap, start_program, extension):
    path = os.pathsep.join([str(extension), *filter(None, [os.environ.get("PYTHONPATH")])])
    app = start_program(sys.executable, str(HERE / "app.py"), env={**os.environ, "PYTHONPATH": path})
    app.expect("ready")
    assert tscap("start", app.pid).code == 0
    app.do("import native, contextlib")
    for code in ("native", "None", "leaf.__code__", "fails.__code__"):
        app.do("with contextlib.suppress(ZeroDivisionError): native.run(lambda: 1 / 0, %s)" % code)
        app.do("native.run(leaf, %s)" % code)
    leaf = sites(tscap, app)["leaf"]
    assert (leaf["calls"], leaf["open"], leaf["raised"]) == (4, 0, 0)
    assert app.end() == 0


# ---- functions of types of their own ----

STATEMENTS = {  # what is called, and how often
    "native.twice(1); native.twice(2)": {"native.within.Twin.twice": 2},
    "native.add(1); native.add(*[2])": {"native.add": 2},
    "Kind = type('Kind', (), {'twice': native.twice}); Kind().twice(); Kind.twice(1); keep = Kind().twice; keep()": {
        "native.within.Twin.twice": 3
    },
    "[native.make_bindable('made')(k) for k in range(3000)]": {"native.within.made": 3000, "native.make_bindable": 3000},
    "import types; types.MethodType(len, [])()": {"builtins.len": 1},
    "functools.partial(leaf)(); int('3'); Shape().area(); object().__str__(); keep(*[]); list(map(native.add, [1, 2]))": {},
}


@pytest.fixture
def called(tscap, program):
    assert NOTE not in tscap("attach", program.pid, "--match", "leaf").err
    result = tscap("attach", program.pid, "--builtins", "--match", "native*:*", "--match", "builtins:len")
    assert result.code == 0 and (NOTE in result.err) == (not TOLD), result
    for statement in STATEMENTS:
        program.do(statement)
    return sites(tscap, program)


def test_functions_of_types_of_their_own(called):
    expected = {}
    for counts in STATEMENTS.values():
        for name, calls in counts.items():
            told = TOLD or name == "native.make_bindable" or (name == "builtins.len" and sys.version_info >= (3, 11))
            expected[name] = expected.get(name, 0) + calls * told
    seen = {name: called[name]["calls"] if name in called else 0 for name in expected}
    assert seen == expected
    assert {name: site["open"] for name, site in called.items() if site["open"]} == {}
    assert all(name in expected for name in called)


def test_they_may_raise(tscap, program):
    assert tscap("attach", program.pid, "--builtins", "--match", "native*:*").code == 0
    program.do("import contextlib")
    for call in ("native.twice()", "native.add(1, 2)", "native.add(1)"):
        program.do("with contextlib.suppress(TypeError): %s" % call)
    raised = {name: site["raised"] for name, site in sites(tscap, program).items()}
    assert raised == ({"native.within.Twin.twice": 1, "native.add": 1} if TOLD else {})


def test_what_is_made_without_end_may_go(tscap, program):
    """What is recorded does not keep the program's own objects."""
    assert tscap("attach", program.pid, "--builtins", "--match", "native*:*").code == 0
    program.do("import weakref; made = native.make_bindable('made'); made(1); gone = weakref.ref(made); del made")
    program.do("assert gone() is None")
    assert program.end() == 0
