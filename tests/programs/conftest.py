"""Fixtures of these tests: a run directory each, the command, and programs that are ended by their pids."""
import json
import os
import subprocess

import pytest
from outside import LIMIT, run_directory, run_tscap  # noqa: F401  (a fixture, and what tests import from here)
from processes import environment_without_us


@pytest.fixture
def tscap():
    """Runs tscap and returns what subprocess.run does."""
    return run_tscap


@pytest.fixture
def profile(tscap):
    """{name: {key: value}} of the functions that a process recorded, as `dump --json` has them."""

    def read(pid, *options):
        result = tscap("dump", "--json", *options, pid)
        assert result.returncode in (0, 6), result
        return {function["name"]: function for function in json.loads(result.stdout)["sites"]}

    return read


class Program:
    """A process of ours that answers each line on its standard input with one line."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)
        self.pid = self.process.pid

    def hear(self):
        return self.process.stdout.readline().strip()

    def tell(self, line="go"):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.hear()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass


@pytest.fixture
def start_program():
    """Starts a command; prepared: it finds the package, else it knows nothing of it. Ended with the test."""
    started = []

    def start(*command, prepared=False, **options):
        environment = dict(os.environ) if prepared else {**environment_without_us(), "TSCAP_DIR": os.environ["TSCAP_DIR"]}
        started.append(Program(command, env=environment, **options))
        return started[-1]

    yield start
    for program in started:
        program.close()
