"""Subinterpreters, as mod_wsgi and pools of interpreters make them: nothing of them is recorded, and that is said."""
import sys
import time

import pytest
from processes import needs_tracing

from test_family import fork_worker, work

pytestmark = needs_tracing

LIMIT = 60  # seconds, until what a look once a second finds must have been found
KINDS = ["legacy", "isolated"] if sys.version_info >= (3, 12) else ["legacy"]
if sys.version_info >= (3, 13):
    PREPARE = "import _interpreters as interpreters; create = interpreters.create"
elif sys.version_info >= (3, 12):
    PREPARE = "import _xxsubinterpreters as interpreters; create = lambda kind: interpreters.create(isolated=kind == 'isolated')"
else:
    PREPARE = "import _xxsubinterpreters as interpreters; create = lambda kind: interpreters.create(isolated=False)"


@pytest.fixture
def host(plain):
    """A program that makes interpreters: list `made`."""
    plain.do("import warnings; warnings.simplefilter('ignore'); made = []; " + PREPARE)
    return plain


def make(host, kind="legacy"):
    host.do("made.append(create(%r)); interpreters.run_string(made[-1], 'def work(): pass\\nwork()')" % kind)


def end(host):
    host.do("interpreters.destroy(made.pop())")


def unrecorded(tscap, program):
    """As dump says it: the counter, which the other two have to agree with."""
    dump = tscap("dump", "--json", program.pid)
    count = dump.json["losses"]["interpreters"]
    assert (dump.code, dump.json["complete"]) == ((6, False) if count else (0, True)), dump
    return count


def await_unrecorded(tscap, program, count):
    deadline = time.monotonic() + LIMIT
    while unrecorded(tscap, program) != count:
        assert time.monotonic() < deadline, "it is not noticed"
        time.sleep(0.05)


def start(tscap, program):
    assert tscap("start", program.pid).code == 0


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_is_there_before(tscap, host, kind):
    make(host, kind)
    assert tscap("attach", host.pid, "--all").code == 0
    host.do("parent(3)")
    dump = tscap("dump", host.pid)
    assert dump.code == 6 and "1 interpreters besides the main one, of which nothing is recorded" in dump.out
    assert dump.remedy == "  try: tscap stack %d, which shows where they are" % host.pid
    assert unrecorded(tscap, host) == 1
    top = tscap("top", "-b", 1, "-d", "10ms", host.pid)
    assert top.code == 6 and "1 interpreters besides the main one" in top.out
    (line,) = [line for line in tscap("status", host.pid).out.splitlines() if line.startswith("interpreters")]
    assert line.split(None, 1)[1] == "1 besides the main one: nothing of them is recorded"
    host.kill()
    assert tscap("dump", "--json", host.pid).json["losses"]["interpreters"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_is_made_meanwhile(tscap, host, kind):
    """Also while the main one calls nothing that is recorded; ended or not."""
    assert tscap("attach", host.pid, "--match", "nothing").code == 0
    assert unrecorded(tscap, host) == 0 and "interpreters" not in tscap("status", host.pid).out
    make(host, kind)
    await_unrecorded(tscap, host, 1)
    make(host, kind)
    end(host)
    assert tscap("stop", host.pid).code == 0
    assert unrecorded(tscap, host) == 2


def test_those_of_other_times_do_not_count(tscap, host):
    make(host)
    end(host)
    assert tscap("attach", host.pid, "--no-start").code == 0
    make(host)
    end(host)
    start(tscap, host)
    assert tscap("stop", host.pid).code == 0
    make(host)
    assert unrecorded(tscap, host) == 0
    for _ in range(2):
        start(tscap, host)
        assert unrecorded(tscap, host) == 1
        assert tscap("stop", host.pid).code == 0


def test_reset_counts_anew(tscap, host):
    make(host)
    make(host)
    assert tscap("attach", host.pid).code == 0
    assert unrecorded(tscap, host) == 2
    end(host)
    assert tscap("reset", host.pid).code == 0
    assert unrecorded(tscap, host) == 1
    end(host)
    assert tscap("reset", host.pid).code == 0
    assert unrecorded(tscap, host) == 0


def test_a_forked_child_has_none(tscap, app):
    """Its parent looked out for them when it was forked."""
    start(tscap, app)
    app.do("import os")
    fork_worker(app)
    work(app, "parent(3)")
    assert tscap("start", "-s", app.pid).code == 0
    work(app, "parent(3)")
    whole = tscap("dump", "-s", "--json", app.pid)
    assert (whole.code, whole.json["losses"]["interpreters"]) == (0, 0), whole
