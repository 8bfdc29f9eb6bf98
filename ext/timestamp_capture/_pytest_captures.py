"""Captures of tests for the pytest plugin, and their comparison with those of an earlier run: ``tscap diff`` decides."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any, Dict, List, Optional

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .collector import Timestamp_Collector

READABLE = 120  # letters of a name; a file system takes 255 bytes
_JUDGED = (0, 6, 7)  # exit codes of `tscap diff` with a comparison: alike, something is missing from a capture, over the limit


def file_of(nodeid: str) -> str:
    """A name for the capture of a test, the same in each run and no other test's: readable, and a check sum of the whole."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", nodeid).strip("-.")[-READABLE:]
    return f"{readable}-{zlib.crc32(nodeid.encode('utf-8', 'replace')):08x}.tscap"


def save(collector: Timestamp_Collector, folder: Path, nodeid: str) -> Optional[Path]:
    """The file, in the place of that of an earlier run; None: nothing was recorded."""
    path = folder / file_of(nodeid)
    if not collector.timings():
        if path.exists():
            path.unlink()
        return None
    collector.save(path, force=True)
    return path


def baselines(folder: Path, nodeid: str) -> List[Path]:
    """Of a run whose captures are in the folder, and of several, each in a folder in it."""
    name = file_of(nodeid)
    return [path for path in [folder / name, *sorted(run / name for run in folder.iterdir() if run.is_dir())] if path.exists()]


def find_program() -> Optional[str]:
    """``tscap``: where the interpreter is, as pip installs it, else in PATH."""
    return shutil.which("tscap", path=os.path.dirname(sys.executable)) or shutil.which("tscap")


class Comparison_Error(Exception):
    """``tscap diff`` could not compare; its words."""


def _words(function: Dict[str, Any], limit: str) -> str:
    now, before = (function[side]["median_per_call_ns"] / 1e6 for side in ("b", "a"))
    return f"{function['function']['name']}: {now:.3f} ms of its own per call, was {before:.3f} ms ({100 * function['change']:+.0f} %, limit {limit})"


def slower(program: str, before: List[Path], after: Path, limit: str) -> List[str]:
    """A line for each function that takes more time of its own per call than ``limit`` ("10%") allows."""
    command = [program, "diff", "--json", "--no-trees", "--fail-over", limit, *map(str, before), "--", str(after)]
    pipe = subprocess.PIPE  # of UTF-8, whatever the locale
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, encoding="utf-8", errors="replace")
    if done.returncode not in _JUDGED or not done.stdout:
        raise Comparison_Error(done.stderr.strip() or f"{program} ended with status {done.returncode}")
    return [_words(function, limit) for function in json.loads(done.stdout)["functions"] if function["over"]]
