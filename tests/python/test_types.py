"""What type checkers see: the package, its stub, the demo, and programs that use it. On the interpreter that has mypy."""
import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

import timestamp_capture
from reading import FROM_OUTSIDE

pytest.importorskip("mypy", reason="mypy is on one interpreter: tests/requirements.txt")
pytestmark = pytest.mark.skipif(not FROM_OUTSIDE, reason="types do not depend on the recorder")

PACKAGE = pathlib.Path(timestamp_capture.__file__).parent
DEMO = pathlib.Path(__file__).parents[2] / "scripts" / "demo_service.py"

# What is wrong here, mypy must find: an `ignore` that nothing needs is an error, too.
USER = """
from typing import Any, Dict, List, Optional
from typing_extensions import assert_type

import timestamp_capture as t
from timestamp_capture import Schema__Call_Tree_Node, Schema__Method_Timing, Schema__Timestamp_Entry, Timestamp_Collector
from timestamp_capture import find_timestamp_collector, timestamp, timestamp_args, timestamp_block
from timestamp_capture.middleware import Timestamp_WSGI_Middleware

@timestamp
def bare(n: int) -> str: return ""
@timestamp("name")
def named(n: int) -> str: return ""
@timestamp(name="name")
def by_keyword(n: int) -> str: return ""
@timestamp_args(name="{n}")
def with_arguments(n: int) -> str: return ""
@timestamp_block("block")
def in_a_block(n: int) -> str: return ""
@timestamp
async def waits(n: int) -> str: return ""
@timestamp
class Decorated:
    def method(self, n: int) -> str: return ""

for function in (bare, named, by_keyword, with_arguments, in_a_block, Decorated().method):
    assert_type(function(1), str)
bare("1")  # type: ignore[arg-type]
named("1")  # type: ignore[arg-type]
with_arguments("1")  # type: ignore[arg-type]
in_a_block("1")  # type: ignore[arg-type]

async def main() -> None:
    assert_type(await waits(1), str)

with Timestamp_Collector("name", max_entries=10, propagate=True) as collector, timestamp_block("block"):
    assert_type(collector, Timestamp_Collector)
    assert_type(find_timestamp_collector(), Optional[Timestamp_Collector])
    assert_type(collector.record("name", "enter", extra={"k": 1}), Optional[Schema__Timestamp_Entry])
assert_type(collector.entries[0], Schema__Timestamp_Entry)
assert_type(collector.entries[1:], List[Schema__Timestamp_Entry])
assert_type(collector.get_method_timings(), Dict[str, Schema__Method_Timing])
assert_type(collector.build_call_tree()[0].children, List[Schema__Call_Tree_Node])
assert_type(collector.bind(bare)(1), str)
assert_type(collector.json(), Dict[str, Any])
assert_type(Schema__Method_Timing.from_json({}), Schema__Method_Timing)
collector.assert_budget("name", avg_ms=2, calls=10)
collector.assert_budget("name", elapsed_ms=200.0)
collector.assert_budget("name", average=2)  # type: ignore[call-arg]
Timestamp_Collector(max_entries="10")  # type: ignore[arg-type]
t.nothing  # type: ignore[attr-defined]
assert_type(t.start(subprocesses=True), bool)
assert_type(t.__version__, str)
"""


PROFILER_USER = """
import io
from typing import Dict, Optional, Tuple, Union
from typing_extensions import assert_type

from timestamp_capture.stichotrope import Profiler, ProfileBlock, ProfilerResults, ProfileTrack, RepeatResult
from timestamp_capture.stichotrope import export_csv, export_json, format_time_ns, is_global_enabled, print_results, set_global_enabled
from timestamp_capture.stichotrope.timing import get_time_ns, measure_timing_overhead

profiler = Profiler("name", config="settings.toml", enabled=True, disabled_tracks=[1], track_names={0: "Zero"}, extended=False)
Profiler(config={"enabled": False})

@profiler.track(0)
def bare(n: int) -> str: return ""
@profiler.track("track", "name")
async def waits(n: int) -> str: return ""
class C:
    @profiler.track(0)
    def method(self, n: int) -> str: return ""
    @property
    @profiler.track(0)
    def value(self) -> int: return 5

assert_type(bare(1), str)
assert_type(C().method(1), str)
assert_type(C().value, int)
bare("1")  # type: ignore[arg-type]
profiler.track(0.5)  # type: ignore[arg-type]

with profiler as same, profiler.block(0, "block", bytes=5):
    assert_type(same, Profiler)
results = profiler.get_results()
assert_type(results, ProfilerResults)
for track in results.tracks:
    assert_type(track, ProfileTrack)
    print(track.track_idx, len(track.blocks))
    for block in track.blocks:
        assert_type(block, ProfileBlock)
        assert_type(block.total_time_ns, int)
assert_type(results.tracks[0].blocks[0], ProfileBlock)
assert_type(results.get_track(0), Optional[ProfileTrack])
for index, track in results.tracks.items():
    assert_type(index, Union[int, str])
assert_type(profiler.get_all_thread_data(), Dict[Union[int, Tuple[int, int]], ProfilerResults])
assert_type(export_csv(results), str)
export_json(results, "path", indent=None, extended=True)
export_csv(results, io.StringIO())
profiler.export_csv("path")
print_results(results)
assert_type(format_time_ns(get_time_ns()), str)
assert_type(profiler.repeat(5, lambda: None, track_idx=0), RepeatResult)
set_global_enabled(not is_global_enabled())
"""


def run(*command, path):
    environment = {**os.environ, "MYPYPATH": str(PACKAGE.parent), "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_strict(tmp_path):
    (tmp_path / "user.py").write_text(textwrap.dedent(USER))
    (tmp_path / "profiler_user.py").write_text(textwrap.dedent(PROFILER_USER))
    (tmp_path / "demo_service.py").write_text(DEMO.read_text())
    said = run("mypy", "--strict", "--cache-dir", os.devnull, "user.py", "profiler_user.py", "demo_service.py", str(PACKAGE), path=tmp_path)
    assert said.startswith("Success: no issues found in "), said


def test_the_stub_is_what_there_is(tmp_path):
    """The compiled recorder has the functions, the types and the signatures that its stub says."""
    (tmp_path / "mypy.ini").write_text("[mypy]\ncache_dir = %s\n" % os.devnull)
    run("mypy.stubtest", "--concise", "--ignore-disjoint-bases", "--mypy-config-file", "mypy.ini", "timestamp_capture._core", path=tmp_path)
