"""Results of a Profiler as CSV, JSON and tables: to the byte, to paths and files, with all columns."""
import csv
import io
import json
import pathlib

import pytest

from timestamp_capture.stichotrope import (
    Profiler, ProfilerResults, ProfileTrack, export_csv, export_json, format_time_ns, get_time_ns, measure_timing_overhead, print_results,
)


def results():
    """Two tracks, the one with the greater number first, of fixed times."""
    made = ProfilerResults("Shop")
    second = made.tracks[1] = ProfileTrack(1, enabled=False)
    first = made.tracks[0] = ProfileTrack(0, "Requests")
    for ns in (1_500_000_000, 500):
        first.add_block(0, 'say "a, b"', "shop.py", 10)
        first.blocks[0].record_time(ns)
    block = first.blocks[0] = first.add_block(0, 'say "a, b"', "shop.py", 10)
    for ns in (1_500_000_000, 500):
        block.record_time(ns)
    first.add_block(1, "never", "shop.py", 20)
    query = second.add_block(0, "query", "db.py", 5)
    query.record_time(1_500_000)
    query.self_time_ns, query.cpu_time_ns, query.exception_count, query.total_bytes = 1_000_000, 400, 1, 3_000_000
    query.p50_time_ns = query.p95_time_ns = query.p99_time_ns = 1_500_000
    query.std_time_ns = 12.5
    return made


CSV = (
    "Track,Block Name,Hit Count,Total Time (ns),Avg Time (ns),Min Time (ns),Max Time (ns),% Track,% Total\r\n"
    '0,"say ""a, b""",2,1500000500,750000250,500,1500000000,100.00,99.90\r\n'
    "0,never,0,0,0,0,0,0.00,0.00\r\n"
    "1,query,1,1500000,1500000,1500000,1500000,100.00,0.10\r\n"
)
JSON = {
    "profiler_name": "Shop",
    "tracks": [
        {
            "track_idx": 0,
            "track_name": "Requests",
            "enabled": True,
            "blocks": [
                {
                    "name": 'say "a, b"', "file": "shop.py", "line": 10, "hit_count": 2, "total_time_ns": 1500000500, "avg_time_ns": 750000250.0,
                    "min_time_ns": 500, "max_time_ns": 1500000000,
                },
                {
                    "name": "never", "file": "shop.py", "line": 20, "hit_count": 0, "total_time_ns": 0, "avg_time_ns": 0.0, "min_time_ns": 0,
                    "max_time_ns": 0,
                },
            ],
        },
        {
            "track_idx": 1,
            "track_name": None,
            "enabled": False,
            "blocks": [
                {
                    "name": "query", "file": "db.py", "line": 5, "hit_count": 1, "total_time_ns": 1500000, "avg_time_ns": 1500000.0,
                    "min_time_ns": 1500000, "max_time_ns": 1500000,
                }
            ],
        },
    ],
}
TABLES = """\
========================================================================================================================
Profiler: Shop
Total Time: 1.50 s
Total Hits: 3
========================================================================================================================

Requests (Track 0)
  Total Time: 1.50 s
  Total Hits: 2
------------------------------------------------------------------------------------------------------------------------
Block Name                                     Hits           Total             Avg             Min             Max   %Track
------------------------------------------------------------------------------------------------------------------------
say "a, b"                                        2          1.50 s       750.00 ms          500 ns          1.50 s  100.00%
never                                             0            0 ns            0 ns            0 ns            0 ns    0.00%

Track 1 (Track 1)
  Total Time: 1.50 ms
  Total Hits: 1
------------------------------------------------------------------------------------------------------------------------
Block Name                                     Hits           Total             Avg             Min             Max   %Track
------------------------------------------------------------------------------------------------------------------------
query                                             1         1.50 ms         1.50 ms         1.50 ms         1.50 ms  100.00%
========================================================================================================================
"""


def test_csv():
    assert export_csv(results()) == CSV


@pytest.mark.parametrize("indent", [2, None, 4])
def test_json(indent):
    assert export_json(results(), indent=indent) == json.dumps(JSON, indent=indent)


def test_tables(capsys):
    print_results(results())
    assert capsys.readouterr().out == TABLES


def test_nothing_at_all(capsys):
    empty = ProfilerResults("None")
    assert export_csv(empty) == CSV.splitlines(True)[0]
    assert json.loads(export_json(empty)) == {"profiler_name": "None", "tracks": []}
    print_results(empty)
    assert capsys.readouterr().out == f"{'=' * 120}\nProfiler: None\nTotal Time: 0 ns\nTotal Hits: 0\n{'=' * 120}\n{'=' * 120}\n"


def test_with_all_columns(capsys):
    rows = list(csv.DictReader(io.StringIO(export_csv(results(), extended=True))))
    more = ["Self Time (ns)", "CPU Time (ns)", "P50 (ns)", "P95 (ns)", "P99 (ns)", "Std Dev (ns)", "Exceptions", "Bytes", "MB/s"]
    assert list(rows[0]) == CSV.splitlines()[0].split(",") + more
    assert [rows[2][column] for column in more] == ["1000000", "400", "1500000", "1500000", "1500000", "12", "1", "3000000", "2000.00"]
    block = json.loads(export_json(results(), extended=True))["tracks"][1]["blocks"][0]
    assert {key: value for key, value in block.items() if key not in JSON["tracks"][1]["blocks"][0]} == {
        "self_time_ns": 1000000, "cpu_time_ns": 400, "p50_time_ns": 1500000, "p95_time_ns": 1500000, "p99_time_ns": 1500000, "std_time_ns": 12.5,
        "exception_count": 1, "total_bytes": 3000000, "mb_per_s": 2000.0,
    }
    print_results(results(), extended=True)
    printed = capsys.readouterr().out.splitlines()
    assert printed[10].endswith("%Track            Self             CPU             P50             P95             P99         Std Dev      Exceptions           Bytes            MB/s")
    assert printed[-2].endswith("100.00%         1.00 ms          400 ns         1.50 ms         1.50 ms         1.50 ms           12 ns               1       3,000,000        2,000.00")
    for line, extended in zip(TABLES.splitlines(), printed):
        assert extended.startswith(line)


def test_where_they_go(tmp_path):
    for export, text in ((export_csv, CSV), (export_json, json.dumps(JSON, indent=2))):
        buffer = io.StringIO()
        assert export(results(), buffer) == "" and buffer.getvalue() == text
        for path in (tmp_path / "as path", str(tmp_path / "as text")):
            assert export(results(), path) == ""
            assert pathlib.Path(path).read_bytes().decode() == text
        with pytest.raises(TypeError, match="a path or an open text file, not to int objects"):
            export(results(), 5)
        with pytest.raises(FileNotFoundError):
            export(results(), tmp_path / "none" / "such")


def test_of_a_profiler(tmp_path, capsys):
    profiler = Profiler("exports")
    with profiler.block(0, "ünï"):
        pass
    profiler.disable_track(0)
    wanted = profiler.get_results()
    buffer = io.StringIO()
    profiler.export_csv(tmp_path / "a.csv")
    profiler.export_csv(buffer)
    assert (tmp_path / "a.csv").read_bytes().decode() == buffer.getvalue() == export_csv(wanted)
    profiler.export_json(str(tmp_path / "a.json"), indent=3)
    assert (tmp_path / "a.json").read_text() == export_json(wanted, indent=3)
    assert json.loads((tmp_path / "a.json").read_text())["tracks"][0]["enabled"] is False
    profiler.print_results()
    assert "ünï" in capsys.readouterr().out
    profiler.export_csv(tmp_path / "b.csv", extended=True)
    assert (tmp_path / "b.csv").read_text().startswith(export_csv(wanted, extended=True)[:100])


@pytest.mark.parametrize(
    "ns, text",
    [
        (0, "0 ns"), (500, "500 ns"), (999, "999 ns"), (1000, "1.00 μs"), (1_500, "1.50 μs"), (999_999, "1000.00 μs"), (1_000_000, "1.00 ms"),
        (1_500_000, "1.50 ms"), (10**9, "1.00 s"), (1_500_000_000, "1.50 s"), (3600 * 10**9, "3600.00 s"),
    ],
)
def test_format_time_ns(ns, text):
    assert format_time_ns(ns) == text


def test_the_clock():
    begin = get_time_ns()
    assert get_time_ns() >= begin
    assert isinstance(measure_timing_overhead(100), float) and 0 <= measure_timing_overhead(iterations=1000) < 1e6
    with pytest.raises(ValueError, match="1 or more"):
        measure_timing_overhead(0)
