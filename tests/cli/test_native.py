"""C extensions as others make them (tests/support/native.c): events that they fire."""
import os
import sys

import pytest
from conftest import HERE
from native import build
from processes import environment_without_us, needs_tracing

pytestmark = needs_tracing


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
