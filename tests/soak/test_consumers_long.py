"""10,000 random operations of consumers against the oracle: by clocks that are set, and by the real ones."""
import os
import re
import shutil
import subprocess
import sys

import pytest

from test_consumers import clocks, play

OPERATIONS = 10_000


def test_each_sees_what_it_would_see_alone(tmp_path, run_directory):
    play(1_000, OPERATIONS, clocks.build(tmp_path))


def test_the_same_by_the_real_clocks(run_directory):
    play(1_001, OPERATIONS, {})


CALLS = 20_000
COUNTED = """
import sys
from timestamp_capture import _core
def called(): pass
calls, consumers = map(int, sys.argv[1:])
kept = [_core._Consumer("profiler", str(i)) for i in range(consumers)]
for one in kept:
    one.select_site(_core._place(called))
    one.begin()
def loop(n):
    for _ in range(n):
        called()
loop(100)
loop(calls)
"""


def instructions(consumers):
    """Of a recorded call, counted by callgrind: those of twice the calls less those of the calls."""

    def count(calls):
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-c", COUNTED, str(calls), str(consumers)]
        environment = {**os.environ, "TSCAP_CPU": "wall", "PYTHONHASHSEED": "0"}
        said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
        return int(re.search(r"Collected *: *([0-9]+)", said).group(1))

    return (count(2 * CALLS) - count(CALLS)) / CALLS


@pytest.mark.skipif(not shutil.which("valgrind"), reason="needs valgrind to count instructions")
def test_eight_consumers_of_a_function_cost_what_one_does(run_directory):
    one, eight = instructions(1), instructions(8)
    assert eight <= one * 1.02, (one, eight)
