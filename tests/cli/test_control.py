"""start, stop, reset and status."""
import contextlib
import os
import re
import signal
import time

import pytest

from conftest import LIMIT
from processes import await_sleep


def counts(tscap, app):
    sites = tscap("dump", app.pid, "--json").json["sites"]
    return {site["qualname"] or site["name"]: site["calls"] for site in sites if site["calls"]}


def test_only_what_is_called_in_between_is_recorded(tscap, app):
    app.do("parent(5)")
    assert tscap("start", app.pid).code == 0
    app.do("parent(10)")
    assert tscap("stop", app.pid).code == 0
    app.do("parent(20)")
    assert counts(tscap, app) == {"parent": 1, "leaf": 10}


def test_a_second_recording_adds_to_the_first(tscap, app):
    for _ in range(3):
        assert tscap("start", app.pid).code == 0
        app.do("parent(10)")
        assert tscap("stop", app.pid).code == 0
    assert counts(tscap, app) == {"parent": 3, "leaf": 30}


@pytest.mark.parametrize("running", [True, False])
def test_reset(tscap, app, running):
    tscap("start", app.pid)
    app.do("parent(10)")
    if not running:
        tscap("stop", app.pid)
    assert tscap("reset", app.pid).code == 0
    assert counts(tscap, app) == {}
    tscap("start", app.pid)
    app.do("parent(7)")
    assert counts(tscap, app) == {"parent": 1, "leaf": 7}


def test_what_was_so_before_is_no_error(tscap, app):
    first, second = tscap("start", app.pid), tscap("start", app.pid)
    assert first.code == second.code == 0
    assert first.out == second.out == ""
    assert "already" in second.err
    assert tscap("stop", app.pid).code == 0
    assert "does not record" in tscap("stop", app.pid).err


def fields(result):
    assert result.code == 0, result
    return dict(re.split(r"  +", line, maxsplit=1) for line in result.out.splitlines())


def test_status(tscap, app):
    dormant = fields(tscap("status", app.pid))
    assert dormant["process"] == str(app.pid)
    assert "app.py" in dormant["command"]
    assert dormant["state"] == "dormant"
    assert dormant["armed"] == "0"
    assert dormant["lost"].startswith("0 calls ")
    tscap("start", app.pid)
    app.do("parent(10)")
    recording = fields(tscap("status", app.pid))
    assert recording["state"] == "recording"
    assert int(recording["armed"]) >= 6
    assert recording["cpu time"].split(":")[0] in ("rseq", "rseq+gap", "perf", "syscall", "wall")
    assert re.fullmatch(r"[0-9]+ ns a call", recording["cost"])
    tscap("stop", app.pid)
    assert fields(tscap("status", app.pid))["state"] == "stopped"


def test_status_of_a_dead_process(tscap, recorded):
    recorded.kill()
    dead = fields(tscap("status", recorded.pid))
    assert dead["state"] == "dead (while it recorded)"
    assert "armed" not in dead


@pytest.mark.parametrize("command", ["start", "stop", "reset"])
def test_a_dead_process_cannot_be_told_anything(tscap, recorded, command):
    recorded.kill()
    result = tscap(command, recorded.pid).is_error(3)
    assert result.remedy == "  try: tscap dump %d" % recorded.pid
    tscap("top", "-b", 1, recorded.pid).is_error(3)


@pytest.mark.parametrize("command", ["start", "stop", "reset"])
def test_a_stopped_process_does_not_answer(tscap, app, command):
    app.signal(signal.SIGSTOP)
    began = time.monotonic()
    result = tscap(command, app.pid, "--timeout", "300ms").is_error(124)
    assert time.monotonic() - began > 0.25
    assert "is stopped" in result.err
    assert result.remedy == "  try: kill -CONT %d" % app.pid
    app.signal(signal.SIGCONT)
    assert tscap(command, app.pid).code == 0


def test_who_gave_up_waiting_gets_nothing_done(tscap, app):
    """The order of a client that has gone is not carried out when the process goes on."""
    app.signal(signal.SIGSTOP)
    tscap("start", app.pid, "--timeout", "50ms").is_error(124)
    app.signal(signal.SIGCONT)
    app.do("parent(10)")
    assert fields(tscap("status", app.pid))["state"] == "dormant"


def test_status_and_dump_of_a_stopped_process(tscap, recorded):
    recorded.signal(signal.SIGSTOP)
    status = fields(tscap("status", recorded.pid, "--timeout", "100ms"))
    assert status["state"] == "recording"
    assert "no answer" in status["armed"]
    assert counts(tscap, recorded)["leaf"] == 103


def test_a_process_that_does_not_give_up_the_lock(tscap, app, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    app.tell("hold_the_interpreter(%r)" % str(fifo))
    app.expect("holding")
    await_sleep(app.pid)
    result = tscap("start", app.pid, "--timeout", "0.2").is_error(124)
    assert "interpreter's lock" in result.err
    assert fields(tscap("status", app.pid, "--timeout", "0.2"))["state"] == "dormant"
    fifo.write_bytes(b".")
    app.expect("done")
    assert tscap("start", app.pid, "--timeout", LIMIT).code == 0


def test_a_process_whose_listener_is_gone(tscap, app, run_directory):
    (socket,) = run_directory.glob("*.sock")
    socket.unlink()
    result = tscap("start", app.pid).is_error(1)
    assert "nobody listens" in result.err
    assert tscap("dump", app.pid).code == 0
    assert "no answer" in fields(tscap("status", app.pid))["armed"]


def test_something_else_listens(tscap, app, run_directory):
    import socket
    import threading

    (path,) = run_directory.glob("*.sock")
    path.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def answer():
            client, _ = server.accept()
            with client, contextlib.suppress(BrokenPipeError):  # who asks has read enough
                client.sendall(b"\xff" * 4096)

        threading.Thread(target=answer).start()
        result = tscap("start", app.pid)
    assert result.code in (1, 5), result
    assert "cannot start" in result.what
