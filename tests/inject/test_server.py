"""A web server under load is attached to, all of it recorded, and detached from: no request fails, and it is as fast as before.

Beside it runs one that is left alone; both get the same requests in turn, so that what else the machine does meanwhile
falls on both.
"""
import http.client
import importlib.util
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import pytest

from processes import environment_without_us
from stage import LONG, PATIENCE, tscap, wait_until
from test_scenarios import pytestmark  # noqa: F401  the same machines

SERVER = pathlib.Path(__file__).parent / "server.py"
NEEDS = {"uvicorn": ("uvicorn", "starlette"), "werkzeug": ("flask",)}
SECONDS = 30 if LONG else 0.5
CLIENTS = 4
sys.setrecursionlimit(20000)  # the profile is as deep as the deepest stack
IN_A_ROW = 10  # requests to one server, then to the other


class Server:
    def __init__(self, kind):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(100)
            self.port = listener.getsockname()[1]
            command = [sys.executable, str(SERVER), kind, str(listener.fileno())]
            self.process = subprocess.Popen(command, pass_fds=[listener.fileno()], env=environment_without_us())

    def close(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


class Load:
    """Clients, each with a connection to each server, for as long as that is the phase."""

    def __init__(self, servers):
        self.servers, self.lock, self.going = servers, threading.Lock(), True
        self.failed, self.phase = [], None
        self.taken = {}  # by phase, of each server: requests, seconds
        self.threads = [threading.Thread(target=self.run) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def ask(self, connection, number):
        connection.request("GET", "/work/%d" % number)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200 or int(body) != sum(range(number % 100)):
            self.failed.append((response.status, body))

    def run(self):
        connections = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE) for server in self.servers]
        number = 0
        try:
            while self.going:
                for i, connection in enumerate(connections):
                    phase, began = self.phase, time.perf_counter()
                    for _ in range(IN_A_ROW):
                        number += 1
                        self.ask(connection, number)
                    with self.lock:
                        taken = self.taken.setdefault(phase, [[0, 0.0] for _ in connections])[i]
                        taken[0] += IN_A_ROW
                        taken[1] += time.perf_counter() - began
        except Exception as error:
            self.failed.append(error)
        finally:
            for connection in connections:
                connection.close()

    def go_through(self, phase, seconds):
        """At least so long, and some requests."""
        self.phase = phase
        time.sleep(seconds)
        wait_until(lambda: self.failed or all(n >= CLIENTS * IN_A_ROW for n, _ in self.taken.get(phase, [[0, 0]])), "requests are not answered")
        self.phase = None

    def rate(self, phase):
        """Of the first server, and as a share of the other's."""
        (n, t), (m, u) = self.taken[phase]
        return n / t, n / t / (m / u)

    def close(self):
        self.going = False
        for thread in self.threads:
            thread.join(PATIENCE)


@pytest.mark.parametrize("kind", NEEDS)
def test_server(kind, account, capsys):
    for name in NEEDS[kind]:
        if not importlib.util.find_spec(name):
            pytest.skip("%s is not installed" % name)
    servers = [Server(kind), Server(kind)]
    load = Load(servers)
    pid = servers[0].process.pid
    try:
        load.go_through("first requests", SECONDS / 3)
        load.go_through("before", SECONDS)
        result = tscap("attach", pid, "--all")
        account.take(result)
        assert result.returncode == 0, result.stderr
        load.go_through("attached", SECONDS)
        dump = tscap("dump", pid, "--json")
        assert dump.returncode == 0, dump.stderr
        result = tscap("detach", pid)
        assert result.returncode == 0, result.stderr
        load.go_through("after", SECONDS)
    finally:
        load.close()
        for server in servers:
            server.close()
    assert not load.failed, load.failed[:3]
    calls = {site["name"]: site["calls"] for site in json.loads(dump.stdout)["sites"]}
    asked = load.taken["attached"][0][0]
    assert calls["work"] >= asked - CLIENTS * IN_A_ROW, "all but those that were on their way"
    with capsys.disabled():
        for phase in ("before", "attached", "after"):
            print("\n%s, %-8s %7.0f requests/s and client, %.3f of the other's" % (kind, phase, *load.rate(phase)), end="")
        print("\n%s, after to before %.3f" % (kind, load.rate("after")[1] / load.rate("before")[1]))
