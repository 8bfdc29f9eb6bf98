"""Results as CSV, as JSON and on the console."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import Any, Dict, Iterator, List, Optional, TextIO, Tuple, Union

from .types import ProfileBlock, ProfilerResults, ProfileTrack

Destination = Union[str, "os.PathLike[str]", TextIO]

_WIDTH = 120
_COLUMNS = ("Track", "Block Name", "Hit Count", "Total Time (ns)", "Avg Time (ns)", "Min Time (ns)", "Max Time (ns)", "% Track", "% Total")


def _seconds(ns: float) -> str:
    return format_time_ns(int(ns))


# What is there with extended=True besides: attribute, CSV column, its format there, console column, its format there.
_EXTENDED = (
    ("self_time_ns", "Self Time (ns)", str, "Self", _seconds),
    ("cpu_time_ns", "CPU Time (ns)", str, "CPU", _seconds),
    ("p50_time_ns", "P50 (ns)", str, "P50", _seconds),
    ("p95_time_ns", "P95 (ns)", str, "P95", _seconds),
    ("p99_time_ns", "P99 (ns)", str, "P99", _seconds),
    ("std_time_ns", "Std Dev (ns)", "{:.0f}".format, "Std Dev", _seconds),
    ("exception_count", "Exceptions", str, "Exceptions", "{:,}".format),
    ("total_bytes", "Bytes", str, "Bytes", "{:,}".format),
    ("mb_per_s", "MB/s", "{:.2f}".format, "MB/s", "{:,.2f}".format),
)


def _share(part: int, whole: int) -> float:
    return part / whole * 100 if whole > 0 else 0.0


def _least(block: ProfileBlock) -> int:
    return block.min_time_ns if block.hit_count else 0


def _tracks(results: ProfilerResults) -> List[ProfileTrack]:
    return [results.tracks[track_idx] for track_idx in sorted(results.tracks.keys())]


def _blocks(results: ProfilerResults) -> Iterator[Tuple[ProfileTrack, ProfileBlock]]:
    for track in _tracks(results):
        for block_idx in sorted(track.blocks.keys()):
            yield track, track.blocks[block_idx]


def _write(text: str, file: Optional[Destination]) -> str:
    """The text if there is nowhere to write it to, else ""."""
    if file is None:
        return text
    if isinstance(file, (str, os.PathLike)):
        with open(file, "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
    elif callable(getattr(file, "write", None)):
        file.write(text)
    else:
        raise TypeError(f"results are exported to a path or an open text file, not to {type(file).__name__} objects")
    return ""


def export_csv(results: ProfilerResults, file: Optional[Destination] = None, *, extended: bool = False) -> str:
    """Results as CSV, a row per block, in the order of tracks and blocks: returned, or written to ``file``, a path or an open
    text file. ``extended`` adds columns: self and CPU time, percentiles, standard deviation, exceptions, bytes, MB/s."""
    text = io.StringIO()
    writer = csv.writer(text)
    more = _EXTENDED if extended else ()
    writer.writerow([*_COLUMNS, *(column for _, column, _, _, _ in more)])
    total = results.total_time_ns
    of_track = {track_idx: track.total_time_ns for track_idx, track in results.tracks.items()}
    for track, block in _blocks(results):
        writer.writerow(
            [
                track.track_idx,
                block.name,
                block.hit_count,
                block.total_time_ns,
                f"{block.avg_time_ns:.0f}",
                _least(block),
                block.max_time_ns,
                f"{_share(block.total_time_ns, of_track.get(track.track_idx, 0)):.2f}",
                f"{_share(block.total_time_ns, total):.2f}",
                *(shown(getattr(block, attribute)) for attribute, _, shown, _, _ in more),
            ]
        )
    return _write(text.getvalue(), file)


def _block_as_dict(block: ProfileBlock, extended: bool) -> Dict[str, Any]:
    as_dict = {
        "name": block.name,
        "file": block.file,
        "line": block.line,
        "hit_count": block.hit_count,
        "total_time_ns": block.total_time_ns,
        "avg_time_ns": block.avg_time_ns,
        "min_time_ns": _least(block),
        "max_time_ns": block.max_time_ns,
    }
    return {**as_dict, **{attribute: getattr(block, attribute) for attribute, *_ in _EXTENDED}} if extended else as_dict


def _track_as_dict(track: ProfileTrack, extended: bool) -> Dict[str, Any]:
    return {
        "track_idx": track.track_idx,
        "track_name": track.track_name,
        "enabled": track.enabled,
        "blocks": [_block_as_dict(track.blocks[block_idx], extended) for block_idx in sorted(track.blocks.keys())],
    }


def export_json(results: ProfilerResults, file: Optional[Destination] = None, indent: Optional[int] = 2, *, extended: bool = False) -> str:
    """Results as JSON text: returned, or written to ``file``, a path or an open text file. ``extended``: as of export_csv()."""
    tracks = [_track_as_dict(track, extended) for track in _tracks(results)]
    return _write(json.dumps({"profiler_name": results.profiler_name, "tracks": tracks}, indent=indent), file)


def format_time_ns(time_ns: int) -> str:
    """``1.50 s``, ``1.50 ms``, ``1.50 μs`` or ``500 ns``."""
    for unit, name in ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "μs")):
        if time_ns >= unit:
            return f"{time_ns / unit:.2f} {name}"
    return f"{time_ns} ns"


def _row(block: ProfileBlock, of_track: int, extended: bool) -> str:
    times = (block.total_time_ns, int(block.avg_time_ns), _least(block), block.max_time_ns)
    shown = " ".join(f"{format_time_ns(time):>15}" for time in times)
    more = "".join(f" {show(getattr(block, attribute)):>15}" for attribute, _, _, _, show in _EXTENDED) if extended else ""
    return f"{block.name:<40} {block.hit_count:>10,} {shown} {_share(block.total_time_ns, of_track):>7.2f}%{more}"


def print_results(results: ProfilerResults, *, extended: bool = False) -> None:
    """Print results as tables, one per track. ``extended``: as of export_csv()."""
    more = "".join(f" {column:>15}" for _, _, _, column, _ in _EXTENDED) if extended else ""
    double, single = "=" * (_WIDTH + len(more)), "-" * (_WIDTH + len(more))
    print(double)
    print(f"Profiler: {results.profiler_name}")
    print(f"Total Time: {format_time_ns(results.total_time_ns)}")
    print(f"Total Hits: {results.total_hits:,}")
    print(double)
    for track in _tracks(results):
        print(f"\n{track.track_name or f'Track {track.track_idx}'} (Track {track.track_idx})")
        print(f"  Total Time: {format_time_ns(track.total_time_ns)}")
        print(f"  Total Hits: {track.total_hits:,}")
        print(single)
        print(f"{'Block Name':<40} {'Hits':>10} {'Total':>15} {'Avg':>15} {'Min':>15} {'Max':>15} {'%Track':>8}{more}")
        print(single)
        of_track = track.total_time_ns
        for block_idx in sorted(track.blocks.keys()):
            print(_row(track.blocks[block_idx], of_track, extended))
    print(double)
