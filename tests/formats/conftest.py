"""A recorded program, converted once; where scripts/check-formats put the programs that open it."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(os.environ["TSCAP_ROOT"])
TOOLS = pathlib.Path(os.environ["TSCAP_FORMAT_TOOLS"])  # of scripts/check-formats
TSCAP = os.environ["TSCAP"]
LIMIT = 600
sys.path.insert(0, str(ROOT / "tests" / "cli"))

SUFFIXES = {"json": "json", "csv": "csv", "folded": "txt", "speedscope": "json", "pstats": "pstats", "callgrind": "out", "pprof": "pb.gz", "svg": "svg"}
PROGRAM = """
import threading
from timestamp_capture import timestamp
@timestamp
def leaf(): return sum(range(200))
@timestamp
def parent(calls):
    for _ in range(calls): leaf()
@timestamp
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
@timestamp("a;b <c> & 'd' \\\\\\\\ 12")
def hostile(): parent(500)
input(print("ready"))
parent(2000), fib(12), hostile()
thread = threading.Thread(target=hostile, name="worker")
thread.start(), thread.join()
input(print("done"))
"""


def run(*command, **options):
    """What it says on standard output."""
    process = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=LIMIT, **options)
    assert process.returncode == 0, process
    return process.stdout


class Recorded:
    def __init__(self, folder, pid):
        self.folder = folder
        self.profile = json.loads(run(TSCAP, "dump", pid, "--json"))
        self.sites = {site["qualname"]: site for site in self.profile["sites"]}
        for name, suffix in SUFFIXES.items():
            run(TSCAP, "convert", pid, "-f", name, "-o", self.path(name))
        run(TSCAP, "convert", pid, "-f", "svg", "--invert", "-o", folder / "inverted.svg")
        self.total = sum(thread["roots_ticks"] for thread in self.profile["threads"])  # ticks are ns, see below

    def path(self, name):
        return self.folder / ("%s.%s" % (name, SUFFIXES[name]))


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    environment = {**os.environ, "TSCAP_CLOCK": "monotonic"}
    folder = tmp_path_factory.mktemp("files")
    (folder / "program.py").write_text(PROGRAM)
    with subprocess.Popen([sys.executable, str(folder / "program.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as program:
        assert program.stdout.readline() == "ready\n"
        run(TSCAP, "start", program.pid)
        program.stdin.write("\n")
        program.stdin.flush()
        assert program.stdout.readline().endswith("done\n")
        run(TSCAP, "stop", program.pid)
        yield Recorded(folder, program.pid)
        program.kill()
