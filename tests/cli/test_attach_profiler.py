"""tscap attach and detach, while the program's own Profilers run: what these count is theirs."""
import importlib.util
import pathlib

import pytest

from test_tracks import profilers, start_profilers, tracks_of  # noqa: F401  fixtures


def counted(tscap, program, *options):
    result = tscap("dump", "--json", *options, program.pid)
    return {site["name"]: site["calls"] for site in result.json["sites"] if site["calls"]}


def test_what_a_profiler_counts_stays(tscap, profilers):  # noqa: F811
    profilers.do("with_open = first.block(1, 'open'); with_open.__enter__(); function()")
    for times in (1, 2):
        assert tscap("attach", profilers.pid, "--match", "*:block").code == 0
        profilers.do("function(), block(first, 2)")
        assert counted(tscap, profilers, "--consumer", "attached") == {"block": 1}
        assert tscap("reset", profilers.pid).code == 0
        assert counted(tscap, profilers, "--consumer", "attached") == {}
        assert tscap("detach", profilers.pid).code == 0
        profilers.do("function(), block(first, 2)")
        assert tracks_of(tscap, profilers.pid) == {0: (True, {"function": 1 + 2 * times}), 1: (True, {"open": 0}), 2: (True, {"query": 2 * times})}
    profilers.do("with_open.__exit__(None, None, None)")
    assert tracks_of(tscap, profilers.pid)[1] == (True, {"open": 1})
    profilers.do("assert first.get_results().total_hits == 5 + 4 + 1")
    assert profilers.end() == 0


@pytest.mark.parametrize("order", [["import", "detach"], ["detach", "import"], ["import", "detach", "attach", "detach"]])
def test_one_that_is_made_where_somebody_attached(tscap, plain, run_directory, order):
    """The segment is the program's own from then on."""
    plain.do("import os, sys, warnings; warnings.simplefilter('error'); os.environ['TSCAP_DIR'] = %r" % str(run_directory))
    assert tscap("attach", plain.pid).code == 0
    calls, made = 0, False
    for step in order:
        if step == "import":
            package = pathlib.Path(importlib.util.find_spec("timestamp_capture").origin).parent
            plain.do("sys.path.insert(0, %r); from timestamp_capture.stichotrope import Profiler" % str(package.parent))
            plain.do("profiler = Profiler('late'); profiler.track(0)(leaf)")
            made = True
        else:
            assert tscap(step, plain.pid).code == 0
        plain.do("parent(3)")
        calls += 3 if made else 0
    assert tracks_of(tscap, plain.pid, "late") == {0: (True, {"leaf": calls})}
    plain.do("assert profiler.get_results().total_hits == %d" % calls)
    assert plain.end() == 0
