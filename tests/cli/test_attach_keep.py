"""What an attachment recorded, after the process has ended or was detached from; and what is said of that."""
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import HERE, LIMIT, TSCAP
from processes import needs_tracing
from test_attach import calls

pytestmark = needs_tracing

CALLS = {"parent": 1, "leaf": 11}


def attach(tscap, program, *options):
    result = tscap("attach", program.pid, *options)
    assert result.code == 0, result
    return result


def await_that(condition):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "it does not come to that"
        time.sleep(0.01)


@pytest.mark.parametrize("keep", [True, False], ids=["kept", "not kept"])
def test_the_process_ends(tscap, plain, run_directory, keep):
    said = attach(tscap, plain, *["--keep"] * keep).err
    assert ("also when it has ended" if keep else "that goes when it ends") in said, said
    plain.do("parent(11)")
    assert plain.end() == 0
    if not keep:
        assert not list(run_directory.iterdir())
        return
    assert calls(tscap, plain) == CALLS
    (process,) = tscap("ps", "-a", "-j").json["processes"]
    assert (process["pid"], process["state"]) == (plain.pid, "dead")
    assert tscap("gc").code == 0
    assert not list(run_directory.iterdir())


def test_it_is_detached_from(tscap, plain, run_directory):
    attach(tscap, plain, "--keep")
    plain.do("parent(11)")
    result = tscap("detach", plain.pid)
    assert result.code == 0 and "what it recorded is still there: tscap dump %d" % plain.pid in result.err, result
    await_that(lambda: not list(run_directory.glob("*.sock")))
    plain.do("parent(400)")
    assert calls(tscap, plain) == CALLS
    refused = tscap("start", plain.pid).is_error(3)
    assert "was detached from" in refused.err and refused.remedy == "  try: tscap dump %d" % plain.pid
    assert plain.end() == 0
    assert calls(tscap, plain) == CALLS
    assert tscap("gc").code == 0
    assert not list(run_directory.iterdir())


def test_gc_takes_what_a_living_process_has_left(tscap, plain, run_directory):
    attach(tscap, plain, "--keep")
    plain.do("parent(11)")
    assert tscap("gc").out == "", "it is in use"
    assert tscap("detach", plain.pid).code == 0
    assert tscap("gc").code == 0
    await_that(lambda: not list(run_directory.iterdir()))
    assert plain.end() == 0


def test_attached_to_again_it_begins_with_nothing(tscap, plain, run_directory):
    for keep in (True, False):
        attach(tscap, plain, *["--keep"] * keep)
        plain.do("parent(11)")
        assert calls(tscap, plain) == CALLS
        result = tscap("detach", plain.pid)
        assert ("still there" if keep else "nothing of what it recorded is left") in result.err, result
    await_that(lambda: not list(run_directory.iterdir()))


def test_the_last_word_counts(tscap, plain, run_directory):
    attach(tscap, plain, "--keep")
    attach(tscap, plain)
    plain.do("parent(11)")
    assert plain.end() == 0
    assert not list(run_directory.iterdir())


def test_a_prepared_program(tscap, app, run_directory):
    attach(tscap, app, "--keep")
    app.do("parent(11)")
    result = tscap("detach", app.pid)
    assert "still there: tscap dump %d\n" % app.pid in result.err, result
    assert app.end() == 0
    assert calls(tscap, app) == CALLS


def test_children_have_it_from_their_parent(tscap, plain, run_directory):
    """Those that were forked with the session; others take theirs along."""
    plain.do("import os")
    child = "pid = os.fork()\nif pid == 0:\n    parent(%d)\n    sys.exit(0)\nos.waitpid(pid, 0)"
    attach(tscap, plain, "--keep")
    plain.do("exec(%r)" % (child % 500))
    attach(tscap, plain, "-s", "--keep")
    plain.do("exec(%r)" % (child % 60))
    plain.do("parent(11)")
    plain.kill()
    whole = tscap("dump", "-s", "-j", plain.pid)
    assert {site["name"]: site["calls"] for site in whole.json["sites"] if site["calls"]} == {"parent": 2, "leaf": 71}
    assert len(list(run_directory.glob("*.tscap"))) == 2


def test_the_command_that_it_was_bound_to_ends(tscap, plain, run_directory):
    with subprocess.Popen([TSCAP, "attach", "--keep", "--while-attached", str(plain.pid)], stderr=subprocess.PIPE, text=True) as process:
        while "until this command ends" not in process.stderr.readline():
            assert process.poll() is None
        plain.do("parent(11)")
        process.send_signal(signal.SIGINT)
        process.wait(LIMIT)
    await_that(lambda: not list(run_directory.glob("*.sock")))
    assert calls(tscap, plain) == CALLS
    assert plain.end() == 0


def test_the_environment_says_so_already(tscap, start_program):
    program = start_program(sys.executable, str(HERE / "plain_app.py"), env={**os.environ, "TSCAP_KEEP": "1"})
    program.expect("ready")
    assert "also when it has ended" in attach(tscap, program).err
    program.do("parent(11)")
    assert program.end() == 0
    assert calls(tscap, program) == CALLS
