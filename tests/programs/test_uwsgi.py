"""uWSGI, which forks its workers in C: as it comes, Python does not know."""
import pathlib
import socket
import sys
import time

import pytest
from conftest import LIMIT
from processes import children, needs_tracing

pytestmark = needs_tracing

UWSGI = str(pathlib.Path(sys.executable).with_name("uwsgi"))
APPLICATION = """
from timestamp_capture import timestamp
@timestamp
def work(): pass
def application(environment, start):
    work()
    start("200 OK", [])
    return [b"done"]
"""


class Server:
    """A master with one worker."""

    def __init__(self, program, path):
        self.program, self.pid, self.path = program, program.pid, str(path)
        self.ask()
        (self.worker,) = children(self.pid)

    def connect(self, deadline):
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(self.path)
                return connection
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
                assert time.monotonic() < deadline and self.program.process.poll() is None, "it does not listen"
                time.sleep(0.01)

    def ask(self):
        with self.connect(time.monotonic() + LIMIT) as connection:
            connection.settimeout(LIMIT)
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert connection.makefile("rb").read().endswith(b"done")


@pytest.fixture
def serve(start_program, tmp_path):
    (tmp_path / "app.py").write_text(APPLICATION)
    command = [UWSGI, "--http-socket", "http", "--wsgi-file", "app.py", "--master", "--processes", "1", "--die-on-term", "--disable-logging"]
    started = []

    def start(*options):
        started.append(start_program(*command, *options, prepared=True, cwd=tmp_path))
        return Server(started[-1], tmp_path / "http")

    yield start
    for program in started:
        program.process.terminate()  # so that it ends its worker
        program.process.wait(LIMIT)


def test_a_start_of_the_master_reaches_its_worker(serve, tscap, profile):
    server = serve()
    refused = tscap("start", server.worker)
    assert refused.returncode == 3 and "C code forked it from process %d" % server.pid in refused.stderr, refused
    started = tscap("start", "-s", server.pid)
    assert started.returncode == 0 and "recording process %d: attached to" % server.worker in started.stderr, started
    for _ in range(5):
        server.ask()
    assert profile(server.worker)["work"]["calls"] == 5
    assert profile(server.pid, "-s")["work"]["calls"] == 5


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="uWSGI itself dies there (_PyRecursiveMutex_Unlock): it calls one hook of fork without the other")
def test_a_worker_that_python_knows_of_is_recorded_with_its_master(serve, tscap, profile):
    server = serve("--py-call-osafterfork")
    assert tscap("start", "-s", server.pid).returncode == 0
    for _ in range(5):
        server.ask()
    assert profile(server.pid, "-s")["work"]["calls"] == 5
