"""tscap run: more commands that are, with it, as they are alone."""
import os
import re
import shutil

import pytest
from conftest import TSCAP
from test_run import PYTHON, WORKS, both, environment_of_its_own, go, here, is_clean, program  # noqa: F401


def test_the_times_of_imports(program, run_directory):
    """-X importtime: what the program imports, in its order; and ours, which it cannot hide."""
    def imported(err):
        return [line.rpartition("|")[2].strip() for line in err.splitlines() if line.startswith("import time:")]

    command = [PYTHON, "-X", "importtime", program(WORKS + "import json; print(json.__name__)")]
    bare, recorded = go(command), go(command, tscap=True)
    assert (recorded.code, recorded.out) == (bare.code, bare.out) and recorded.calls["f"] == 1000
    ours = iter(imported(recorded.err))
    assert all(name in ours for name in imported(bare.err) if name != "sitecustomize")
    assert is_clean(run_directory)


SERVED = """
import multiprocessing
def f(): pass
def work(n):
    for _ in range(n): f()
if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    with context.Pool(2) as pool:
        pool.map(work, [10, 20], chunksize=1)
        pool.close()
        pool.join()
"""


def test_a_fork_server(program, run_directory):
    path = program(SERVED)
    assert both([PYTHON, path]).code == 0
    assert both([PYTHON, path], options=["-s"]).calls == {"f": 30, "work": 2}
    assert is_clean(run_directory)


def test_one_that_executes_itself(program, run_directory):
    """As autoreloaders do: it goes on to be recorded, and nothing of it is shown as another's."""
    path = program("import os, sys\ndef f(): pass\nf()\nif len(sys.argv) < 2: os.execv(sys.executable, [sys.executable, __file__, 'again'])\nprint('again')\nsys.exit(3)\n")
    assert both([PYTHON, path]).code == 3
    assert both([PYTHON, path], options=["-s"]).code == 3
    assert is_clean(run_directory)


def test_pip(run_directory):
    pytest.importorskip("pip")
    assert both([PYTHON, "-m", "pip", "--version"]).out.startswith("pip ")
    assert is_clean(run_directory)


def test_the_python_of_an_environment(environment_of_its_own, program, run_directory):
    path = program(WORKS + "import sys; print(sys.prefix, sys.path)")
    assert both([str(environment_of_its_own / "bin" / "python"), path]).calls["f"] == 1000
    assert is_clean(run_directory)


def test_a_wrapper_that_stays(program, run_directory):
    wrapper = program("#!/bin/sh\n%s %s\necho code $?\nexit 4\n" % (PYTHON, program(WORKS + "import sys; sys.exit(3)")), "wrapper")
    recorded = both([wrapper])
    assert (recorded.code, recorded.out) == (4, "code 3\n") and recorded.calls["f"] == 1000


def test_where_nothing_can_be_written(program, monkeypatch, run_directory):
    """Neither at home nor where it is: the program's is its own; that there is no file is told, with a remedy."""
    path = program(WORKS + "import os; print(os.getcwd()); raise SystemExit(9)")
    monkeypatch.chdir("/proc")
    bare, recorded = go([PYTHON, path], HOME="/proc"), go([PYTHON, path], tscap=True, HOME="/proc")
    assert (bare.out, bare.err) == (recorded.out, recorded.err)
    assert recorded.calls["f"] == 1000
    assert re.search("^tscap: .*/?program.py-[0-9]+.tscap", recorded.ours, re.M) or "cannot write" in recorded.all_err, recorded


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("sudo"), reason="needs root and sudo")
@pytest.mark.parametrize("options", [[], ["-s"]], ids=["the first", "all"])
def test_sudo(options, program, tmp_path, run_directory):
    """It takes our variables out of the environment: as bare, with a word if there was time for it."""
    both(["sudo", "-n", PYTHON, program(WORKS + "import os; print(os.geteuid(), sorted(os.environ))")], options=options)
    assert is_clean(run_directory)


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("flag", ["-I", "-S"])
def test_what_would_have_to_be_attached_to_is_traced(flag, program, run_directory):
    """Who is traced cannot be attached to: it runs as it would alone, and why is told."""
    command = ["strace", "-f", "-o", "/dev/null", PYTHON, flag, program(WORKS + "import time; time.sleep(0.3); print('done')")]
    bare, recorded = go(command), go(command, tscap=True)
    assert (recorded.code, recorded.out) == (bare.code, bare.out) == (0, "done\n")
    assert "is already traced" in recorded.all_err or "nothing was recorded" in recorded.all_err or "not recorded" in recorded.all_err, recorded
    assert is_clean(run_directory)


def test_tscap_below_tscap(program, run_directory):
    """The inner one records; the outer one has nothing."""
    path = program(WORKS + "print('once')")
    recorded = go([TSCAP, "run", "--", PYTHON, path], tscap=True)
    assert recorded.code == 0 and recorded.out == "once\n"
    assert re.search(r"^ *1000 .* f \(", recorded.all_err, re.M), recorded
    assert is_clean(run_directory)
