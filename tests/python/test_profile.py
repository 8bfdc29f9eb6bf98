"""`timestamp_capture.Profile` beside cProfile's, and `python -m timestamp_capture`."""
import cProfile
import marshal
import os
import pstats
import subprocess
import sys
import threading

import pytest

import timestamp_capture
from reading import FROM_OUTSIDE

pytestmark = pytest.mark.skipif(not FROM_OUTSIDE, reason="the recorder in pure Python has no profiles")
Profile = timestamp_capture.Profile


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


def work():
    fib(12)
    even(7)
    return sorted([3, 1, 2], key=abs)


def counts(stats):
    """{function: (primitive calls, calls, {caller: (primitive calls, calls)})} of this file."""
    return {
        key[2]: (primitive, calls, {caller[2]: seen[:2] for caller, seen in callers.items() if caller[0] == __file__})
        for key, (primitive, calls, _, _, callers) in stats.items()
        if key[0] == __file__
    }


def cprofile_of(function, **options):
    profile = cProfile.Profile(**options)
    profile.enable()
    function()
    profile.disable()
    profile.create_stats()
    return profile.stats


def test_the_same_counts_as_cprofile():
    profile = Profile(builtins=False)
    profile.runcall(work)
    profile.create_stats()
    ours, theirs = counts(profile.stats), counts(cprofile_of(work, builtins=False))
    assert {name: row[:2] for name, row in ours.items()} == {name: row[:2] for name, row in theirs.items()}
    assert {(name, caller) for name, row in ours.items() for caller in row[2]} == {(name, caller) for name, row in theirs.items() for caller in row[2]}
    assert ours["fib"][:2] == (1, 465)


def test_c_functions_are_called_as_cprofile_calls_them():
    profile = Profile()
    profile.runcall(work)
    profile.create_stats()
    built_in = {key for key in profile.stats if key[0] == "~"}
    assert built_in == {("~", 0, "<built-in method builtins.sorted>")}  # who calls abs() is not Python code
    assert built_in <= set(cprofile_of(work))


def test_without_subcalls():
    profile = Profile(subcalls=False, builtins=False)
    profile.runcall(work)
    profile.create_stats()
    assert all(not row[4] for row in profile.stats.values()) and counts(profile.stats)["fib"][1] == 465


def test_calls_add_up_until_they_are_cleared():
    profile = Profile()
    for _ in range(2):
        with profile as entered:
            assert entered is profile
            fib(3)
    profile.snapshot_stats()
    assert counts(profile.stats)["fib"][:2] == (2, 10)
    profile.clear()
    profile.snapshot_stats()
    assert not profile.stats


def test_run_runctx_runcall():
    space = {"fib": fib, "n": 4}
    assert Profile().runcall(fib, n=5) == 5
    profile = Profile()
    assert profile.runctx("result = fib(n)", space, space) is profile
    assert space["result"] == 3
    assert profile.run("pass") is profile
    with pytest.raises(ZeroDivisionError):
        profile.runctx("1 / 0", space, space)
    profile.create_stats()
    assert counts(profile.stats)["fib"][:2] == (1, 9)


def test_one_thread_or_all():
    def both(profile):
        with profile:
            thread = threading.Thread(target=fib, args=(1,))
            thread.start()
            thread.join()
            fib(1)
        profile.create_stats()
        return counts(profile.stats)["fib"][1]

    assert both(Profile()) == 1
    assert both(Profile(threads=True)) == 2


def test_several_at_a_time():
    first, second = Profile(builtins=False), Profile(builtins=False)
    with first:
        fib(1)
        with second:
            fib(1)
        fib(1)
    for profile in (first, second):
        profile.create_stats()
    assert (counts(first.stats)["fib"][1], counts(second.stats)["fib"][1]) == (3, 1)


def test_printed_and_written(tmp_path, capsys):
    profile = Profile()
    profile.runcall(work)
    profile.print_stats("cumulative")
    text = capsys.readouterr().out
    assert "Ordered by: cumulative time" in text and "465/1" in text and "(fib)" in text and "{built-in method builtins.sorted}" in text
    profile.print_stats(("ncalls", "name"))
    profile.dump_stats(tmp_path / "out")
    assert pstats.Stats(str(tmp_path / "out")).stats == profile.stats == marshal.loads((tmp_path / "out").read_bytes())


def test_no_timer_of_others():
    with pytest.raises(TypeError, match="timer"):
        Profile(lambda: 0)


# ---- python -m timestamp_capture ----

SCRIPT = """
import os, pathlib, pickle, sys
class Point: pass
def work(n): return [work(n - 1) for _ in range(n)]
work(3)
assert __name__ == "__main__" and __file__ == sys.argv[0] and type(pickle.loads(pickle.dumps(Point()))) is Point
print(sys.argv[1:], sys.path[0] == str(pathlib.Path(__file__).resolve().parent))
os.chdir("/")
"""


def run(*arguments, cwd, **options):
    command = [sys.executable, "-m", "timestamp_capture", *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, **options)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "tool.py").write_text("import sys\ndef work(): pass\nwork()\nprint(__name__, __spec__.name, sys.argv[0] == __file__, sys.argv[1:])\n")
    return tmp_path


def test_a_script(folder):
    done = run("script.py", "-o", "--x", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("['-o', '--x'] True\n")
    assert "Ordered by: cumulative time" in done.stdout and "16/1" in done.stdout and "script.py:4(work)" in done.stdout


def test_a_file_is_written_where_it_was_asked_for(folder):
    done = run("-o", "out.prof", "-b", "script.py", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "[] True\n")
    stats = pstats.Stats(str(folder / "out.prof")).stats
    assert [row[:2] for key, row in stats.items() if key[2] == "work"] == [(1, 16)]
    assert not [key for key in stats if key[0] == "~"]


def test_a_module(folder):
    done = run("-o", "out.prof", "-m", "package.tool", "-m", "x", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "__main__ package.tool True ['-m', 'x']\n")
    assert [key for key in pstats.Stats(str(folder / "out.prof")).stats if key[2] == "work"]


@pytest.mark.parametrize("ending, status, said", [
    ("sys.exit()", 0, ""), ("sys.exit(7)", 7, ""), ("sys.exit('so long')", 1, "so long\n"), ("raise SystemExit(None)", 0, ""),
    ("raise ValueError('no')", 1, "ValueError: no\n"), ("os._exit(9)", 9, ""),
])  # fmt: skip
def test_it_ends_as_the_program_does(folder, ending, status, said):
    (folder / "ends.py").write_text(f"import os, sys\ndef work(): pass\nwork()\n{ending}\n")
    done = run("ends.py", cwd=folder)
    assert done.returncode == status and done.stderr.endswith(said) and (said or not done.stderr)
    assert ("(work)" in done.stdout) == ("_exit" not in ending)


@pytest.mark.parametrize("arguments, said", [
    (["nowhere.py"], "can't open file 'nowhere.py': No such file"), (["-m", "nowhere"], "no module named 'nowhere'"), ([], "which script"),
    (["-s", "beauty", "script.py"], "cumulative"),
])  # fmt: skip
def test_what_cannot_be_run(folder, arguments, said):
    done = run(*arguments, cwd=folder)
    assert done.returncode == 2 and said in done.stderr and done.stdout == "" and "Traceback" not in done.stderr


def test_where_nothing_can_be_recorded_it_says_so(folder):
    done = run("script.py", cwd=folder, env={**os.environ, "TSCAP_DISABLE": "1"})
    assert done.returncode == 2 and "TSCAP_DISABLE" in done.stderr and "Traceback" not in done.stderr and done.stdout == ""


def test_who_reads_may_stop(folder):
    command = f"{sys.executable} -m timestamp_capture script.py | true"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}  # the script itself shall not notice
    done = subprocess.run(["sh", "-c", command], cwd=folder, stderr=subprocess.PIPE, text=True, env=environment)
    assert done.stderr == ""


def test_gprof2dot_reads_it(folder):
    gprof2dot = pytest.importorskip("gprof2dot", reason="gprof2dot is not among the requirements")
    run("-o", "out.prof", "script.py", cwd=folder)
    done = subprocess.run([sys.executable, gprof2dot.__file__, "-f", "pstats", "out.prof"], cwd=folder, stdout=subprocess.PIPE, check=True, text=True)
    assert "work" in done.stdout


def test_command_that_cannot_write(folder):
    """One line says it; the program's own exit status stands."""
    (folder / "exits.py").write_text("import sys\nsys.exit(int(sys.argv[1]))\n")
    for own, status in ((0, 1), (3, 3)):
        done = run("-o", "none/out", "exits.py", own, cwd=folder)
        assert done.returncode == status and done.stdout == ""
        assert done.stderr.startswith("python -m timestamp_capture: cannot write the statistics: ") and done.stderr.count("\n") == 1


def test_a_program_that_closes_its_output(folder):
    """As json.tool does on some versions: a file is written all the same; what can be printed nowhere is told in one line."""
    (folder / "closes.py").write_text("import sys\nprint('done')\nsys.stdout.close()\n")
    done = run("-o", "out", "closes.py", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "") and (folder / "out").stat().st_size > 0
    done = run("closes.py", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "done\n")
    assert done.stderr.startswith("python -m timestamp_capture: cannot print the statistics: ") and done.stderr.count("\n") == 1
