"""Fixtures: servers as their users start them, which know nothing of timestamp_capture, and tscap.

A server writes a line for each request that it has answered, into a file: the path, how long it took by its own clock, ns, and its
process. That is what the numbers of tscap are compared to.
"""
import collections
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from outside import LIMIT, run_directory, run_tscap  # noqa: F401  (a fixture, and what tests import from here)
from processes import children, environment_without_us, is_gone

SLEEP_NS = 200_000_000
COMPUTE_NS = 50_000_000
NEAR = 0.02  # relative: as near as the latencies have to be

# What every server's routes do.
ROUTES = """
import asyncio, os, time
NAMES = {"/sleep": 0.2, "/compute": 0.05, "/fast": 0}

def sleep():
    time.sleep(0.2)

def compute():
    until = time.thread_time_ns() + %d
    while time.thread_time_ns() < until:
        pass

def fast():
    pass

HANDLERS = {"/sleep": sleep, "/compute": compute, "/fast": fast}
LOG = os.open(%r, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

def answered(path, began):
    os.write(LOG, ("%%s %%d %%d\\n" %% (path, time.perf_counter_ns() - began, os.getpid())).encode())
"""


@pytest.fixture
def tscap():
    """Runs tscap; returns what subprocess.run does, if the exit code is 0."""

    def run(*arguments):
        result = run_tscap(*arguments)
        assert result.returncode == 0, (arguments, result.returncode, result.stdout[-2000:], result.stderr)
        return result

    return run


@pytest.fixture
def functions(tscap):
    """{name: numbers} of what a process and its descendants recorded of the module `app`."""

    def read(pid):
        sites = json.loads(tscap("dump", "-s", "--json", "--no-trees", pid).stdout)["sites"]
        return {site["name"]: site for site in sites if site["calls"] and site["module"] == "app"}

    return read


def await_that(condition, what):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "it does not come to this: " + what
        time.sleep(0.02)


class Service:
    """A server in a folder of its own, with the module app.py; ended with all that it has begun."""

    def __init__(self, folder, source, command):
        self.folder = folder
        self.log = folder / "answered"
        (folder / "app.py").write_text(ROUTES % (COMPUTE_NS, str(self.log)) + source)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.said = open(folder / "said", "w")
        command = [part.format(port=self.port) for part in command]
        environment = {**environment_without_us(), "TSCAP_DIR": os.environ["TSCAP_DIR"], "PYTHONPATH": str(folder)}
        self.process = subprocess.Popen([sys.executable, *command], cwd=folder, env=environment, stdout=self.said, stderr=self.said)
        self.pid = self.process.pid

    def workers(self):
        return sorted(children(self.pid))

    def answered(self):
        """{path: [(ns, pid)]}, of the lines in the log."""
        found = collections.defaultdict(list)
        for line in self.log.read_text().splitlines() if self.log.exists() else ():
            path, ns, pid = line.split()
            found[path].append((int(ns), int(pid)))
        return found

    def request(self, path):
        """How long it took, ns."""
        began = time.perf_counter_ns()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        took = time.perf_counter_ns() - began
        connection.close()
        assert answer.status == 200, (path, answer.status)
        return took

    def await_answer(self):
        def answers():
            try:
                return self.request("/fast")
            except (ConnectionError, http.client.HTTPException):
                assert self.process.poll() is None, (self.folder / "said").read_text()
                return False

        await_that(answers, "an answer")

    def load(self, path, count, clients=4):
        """Requests from several clients at a time; how long each took."""
        took, lock, left = [], threading.Lock(), [count]

        def one():
            while True:
                with lock:
                    if not left[0]:
                        return
                    left[0] -= 1
                ns = self.request(path)
                with lock:
                    took.append(ns)

        threads = [threading.Thread(target=one) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(took) == count
        return took

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT)

    def close(self):
        pids = [self.pid, *children(self.pid)]
        pids += [pid for worker in pids[1:] for pid in children(worker)]
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in pids[1:]:
            if not is_gone(pid):
                os.kill(pid, signal.SIGKILL)
        self.said.close()


@pytest.fixture
def start_service(tmp_path):
    started = []

    def start(source, *command):
        started.append(Service(tmp_path, source, command))
        return started[-1]

    yield start
    for service in started:
        service.close()


class Count:
    """Requests from here on: those of before are no matter."""

    def __init__(self, service):
        self.service = service
        self.before = {path: len(lines) for path, lines in service.answered().items()}

    def lines(self, path):
        return self.service.answered()[path][self.before.get(path, 0) :]


def is_near(ns, other):
    return abs(ns - other) <= NEAR * other


def await_short_requests(service, client, path, shortest):
    """On a busy machine each request takes a client longer: until one came that took as long as tscap says. `shortest()`: ns."""
    deadline = time.monotonic() + LIMIT
    while not is_near(shortest(), min(client[path])):
        assert time.monotonic() < deadline, (path, shortest(), min(client[path]))
        client[path] += service.load(path, 4, clients=1)


def compare(service, count, read, client):
    """What tscap says of each route, beside what the server and its client say. `client`: {path: [ns]}; `read()`: the functions."""
    await_short_requests(service, client, "/sleep", lambda: read()["sleep"]["min_ns"])
    functions = read()
    for path, name in (("/sleep", "sleep"), ("/compute", "compute"), ("/fast", "fast")):
        lines = count.lines(path)
        assert functions[name]["calls"] == len(lines) == len(client[path]), (path, functions[name]["calls"], len(lines), len(client[path]))
    own = [ns for ns, _ in count.lines("/sleep")]
    whole = functions["sleep"]
    assert is_near(whole["inclusive_ns"] / whole["calls"], sum(own) / len(own)), (whole, own)
    assert is_near(whole["min_ns"], SLEEP_NS), whole
    cpu = functions["compute"]
    assert is_near(cpu["exclusive_cpu_ns"] / cpu["calls"], COMPUTE_NS), cpu
