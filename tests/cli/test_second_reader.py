"""A reader that knows only man/tscap-capture.5 finds every number that `tscap dump --json` finds, in files of all kinds and sizes."""
import os
import pathlib
import subprocess
import sys

import captures
import pytest
from conftest import LIMIT, TSCAP
from document import document
from processes import environment_without_us

DATA = pathlib.Path(__file__).parent / "data"
OF_THE_READER = {"": {"tscap_version"}, "clock": {"same_boot", "cpu_error_bound"}}


def told(tscap, path):
    """What tscap says of it, less what is not in the file."""
    result = tscap("dump", "--json", "--flat", path)
    assert result.code in (0, 6), result
    found = result.json
    for part, keys in OF_THE_READER.items():
        for key in keys:
            del (found[part] if part else found)[key]
    return found


def agree(tscap, path):
    """Part by part, so that a difference can be seen among a million numbers."""
    mine, capture = told(tscap, path), captures.read(path)
    yours = document(capture)
    assert set(mine) == set(yours)
    for part in mine:
        if isinstance(mine[part], list):
            assert len(mine[part]) == len(yours[part]), part
            for number, pair in enumerate(zip(mine[part], yours[part])):
                assert pair[0] == pair[1], (part, number)
        else:
            assert mine[part] == yours[part], part
    return capture, mine


FAMILY = """
import os, sys, threading
FUNCTIONS, CHILDREN, SHARE = 10000, 50, 250
functions = []
for i in range(FUNCTIONS):
    scope = {}
    exec("def function_%d(n):\\n    return n and functions[(%d * 7 + 1) %% FUNCTIONS](n - 1)" % (i, i), globals(), scope)
    functions += scope.values()
for each in functions:
    each(1)
thread = threading.Thread(target=lambda: functions[0](30), name="th\\u00e9")
thread.start()
thread.join()
for child in range(CHILDREN):
    pid = os.fork()
    if pid == 0:
        for each in functions[child * SHARE % FUNCTIONS :][:SHARE]:
            for n in range(3):
                each(n)
        os._exit(0)
    assert os.waitpid(pid, 0) == (pid, 0)
"""


def test_ten_thousand_functions_and_fifty_children_in_one_file(tscap, tmp_path):
    program, path = tmp_path / "program.py", tmp_path / "capture"
    program.write_text(FAMILY)
    command = [TSCAP, "run", "-s", "-o", str(path), sys.executable, str(program)]
    environment = {**environment_without_us(), "TSCAP_DIR": os.environ["TSCAP_DIR"], "TSCAP_NODES": "100000"}
    result = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=environment)
    assert result.returncode == 0 and "not recorded" not in result.stderr, result
    capture, profile = agree(tscap, path)
    called = [row for row in capture.names if row["name"].startswith("function_")]
    assert len(called) == 10000 and len(capture.processes) == 51
    assert capture.finished and profile["complete"] and not any(profile["losses"].values())
    calls = {site["name"]: site["calls"] for site in profile["sites"]}
    # Each once, and once from another one; 31 in a thread; in each child 250 with 0, 1 and 2 below.
    assert sum(calls[row["name"]] for row in called) == 20000 + 31 + 50 * 250 * (1 + 2 + 3)
    assert {site["processes"] for site in profile["sites"] if site["name"].startswith("function_")} >= {2, 3}


@pytest.mark.parametrize("name", ["v1.tscap", "v1-uncompressed.tscap"])
def test_files_of_version_1(tscap, name):
    """Each column has another number in them."""
    agree(tscap, DATA / name)


@pytest.mark.parametrize("options", [[], ["--consumer", "all"]], ids=["default", "everybody's"])
def test_of_what_waits_and_fails(tscap, recorded, tmp_path, options):
    recorded.do("gen = (leaf() for _ in range(5))")
    recorded.do("next(gen); next(gen)")
    path = tmp_path / "capture"
    assert tscap("save", *options, recorded.pid, "-o", path).code == 0
    capture, profile = agree(tscap, path)
    assert profile["session"]["running"] and any(site["raised"] for site in profile["sites"])


NAMES = ["semi;colon", "quo\"te's", "<b>&amp;", "back\\slash", "sur\udcffrogate", "\u00e9\u2028\U0001f40d", "\u202ereversed", "long" * 500]
MAKES_NAMES = """
import sys
def make(name):
    def f(): pass
    names = [each for each in ("co_name", "co_qualname") if hasattr(f.__code__, each)]
    f.__code__ = f.__code__.replace(**dict.fromkeys(names, name))
    f.__name__ = f.__qualname__ = name
    return f
for name in %r:
    make(name)()
"""


def test_names_of_all_sorts(tscap, tmp_path):
    """As they are, but for what is no character, which is written as Python does; in a file that was saved, and in one of a run."""
    program, path = tmp_path / "program.py", tmp_path / "capture"
    program.write_text(MAKES_NAMES % NAMES)
    command = [TSCAP, "run", "-o", str(path), sys.executable, str(program)]
    environment = {**environment_without_us(), "TSCAP_DIR": os.environ["TSCAP_DIR"]}
    assert subprocess.run(command, capture_output=True, timeout=LIMIT, env=environment).returncode == 0
    _, profile = agree(tscap, path)
    found = {site["name"] for site in profile["sites"]}
    assert set(NAMES) <= found, sorted(map(ascii, found))
