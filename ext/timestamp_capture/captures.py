"""Captures and conversions, made in the process: files that ``tscap`` and other programs' viewers open.

    timestamp_capture.save("app.tscap")          # what the session recorded: tscap dump app.tscap
    timestamp_capture.convert("app.svg", "svg")  # a flame graph of it
    collector.save("request.tscap")              # what a collector enclosed; so of a Profile and a Profiler

All of this raises Capture_Error if it fails, and leaves then what was there before; may be called at any time, from any thread, and in
a forked child, which has a recording of its own.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from typing import Any, Callable, Optional, Tuple, Union

from . import _select
from ._hushed import hushed

Path = Union[str, "os.PathLike[str]"]

_SEGMENT = bytes((1, *b"TSCAP1\n"))  # how the file begins that a process records into
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)  # of a file system that has none


class Capture_Error(RuntimeError):
    """A capture or a conversion could not be made; says why, and what to do. ``__cause__`` is what went wrong, if something did."""


# ---- files: whole, or as they were ----


def _check(path: str, force: bool) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise Capture_Error(f"will not write over {path}: it is no plain file; choose another name")
    with open(path, "rb") as file:
        if file.read(len(_SEGMENT)) == _SEGMENT:
            raise Capture_Error(f"will not write over {path}: it is the segment of a process; choose another name")
    if not force:
        raise Capture_Error(f"will not write over {path}: the file exists; choose another name, or force=True")


def _open_beside(path: str) -> Tuple[int, str]:
    unique = f".tscap-{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}"
    temporary = os.path.join(os.path.dirname(path), unique)
    return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), temporary


def _move(temporary: str, path: str, force: bool) -> None:
    """Nobody sees a part of it. Where a file system has no hard links, it is an empty file for a moment."""
    try:
        if not force:
            os.link(temporary, path)
            return
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    os.replace(temporary, path)


def _write_file(path: str, force: bool, write: Callable[[int], object]) -> None:
    _check(path, force)
    fd, temporary = _open_beside(path)
    try:
        try:
            write(fd)
        finally:
            os.close(fd)
        _move(temporary, path, force)
    finally:
        try:
            os.unlink(temporary)
        except FileNotFoundError:
            pass


def _write_all(fd: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _new_file(path: Path, force: bool, write: Callable[[int], object]) -> None:
    name = os.fspath(path)
    if not isinstance(name, str):
        raise TypeError(f"path must be a str or Path, not {type(name).__name__}")
    name = os.path.abspath(name)
    try:
        _write_file(name, force, write)
    except Capture_Error:
        raise
    except FileExistsError as error:
        raise Capture_Error(f"will not write over {name}: the file exists; choose another name, or force=True") from error
    except (OSError, ValueError) as error:
        raise Capture_Error(f"cannot write {name}: {getattr(error, 'strerror', None) or error}; choose a place that can be written to") from error
    except (RuntimeError, MemoryError) as error:
        raise Capture_Error(f"cannot write {name}: {str(error) or 'out of memory'}") from error


# ---- what is written ----


def _converted(source: Any, rest: Tuple[Any, ...], format: str, metric: str, invert: bool) -> bytes:
    content: bytes = source._convert(format, metric, invert, *rest)
    if format != "pprof":
        return content
    try:
        import gzip
    except ImportError:  # a Python without zlib: pprof takes it as it is, too
        return content
    return gzip.compress(content, 6, mtime=0)


def _convert(source: Any, rest: Tuple[Any, ...], format: str, metric: str, invert: bool) -> bytes:
    """ValueError passes: it is about the arguments."""
    try:
        return _converted(source, rest, format, metric, invert)
    except Capture_Error:
        raise
    except (RuntimeError, MemoryError) as error:
        raise Capture_Error(f"cannot convert to {format}: {str(error) or 'out of memory'}") from error


class Captures:
    """What has calls to save, or to convert for other programs; ``man tscap`` says under FORMATS what opens which.

    ``metric`` is what a format shows that has room for one number: "wall", "cpu" or "calls". Nothing is written over unless
    ``force`` is true, and a segment never. Raises Capture_Error, and ValueError for a format or metric that there is not.
    """

    def _captured(self) -> Tuple[Any, Tuple[Any, ...]]:
        """Whose calls those are in the recorder, None for nobody's, and what it is asked besides."""
        raise NotImplementedError

    def _source(self) -> Tuple[Any, Tuple[Any, ...]]:
        source, rest = self._captured()
        if source is None:
            raise Capture_Error(f"there is nothing to make a file of: {_select.reason or 'nothing was recorded yet'}")
        return source, rest

    @hushed
    def save(self, path: Path, *, force: bool = False) -> None:
        """Write a capture file, which the command ``tscap`` reads: ``tscap dump PATH``, ``tscap convert PATH -f FORMAT``."""
        source, rest = self._source()
        _new_file(path, force, lambda fd: source._save(fd, *rest))

    @hushed
    def convert(self, path: Path, format: str, *, metric: str = "wall", invert: bool = False, force: bool = False) -> None:
        """Write a file for other programs: csv, folded, speedscope, pstats, callgrind, pprof or svg, as ``tscap convert`` does.

        ``invert``: of svg, callees above their callers.
        """
        source, rest = self._source()
        content = _convert(source, rest, format, metric, invert)
        _new_file(path, force, lambda fd: _write_all(fd, content))

    @hushed
    def _content(self, format: str, metric: str = "wall", invert: bool = False) -> bytes:
        source, rest = self._source()
        return _convert(source, rest, format, metric, invert)

    def to_csv(self) -> str:
        """The text of a table, a row a function, for spreadsheets and pandas; times are nanoseconds."""
        return self._content("csv").decode()

    def to_folded(self, metric: str = "wall") -> str:
        """Folded stacks, a line a call path, for flamegraph.pl and inferno: nanoseconds of its own, or calls."""
        return self._content("folded", metric).decode()

    def to_callgrind(self) -> str:
        """The text of a file for KCachegrind and callgrind_annotate, in nanoseconds."""
        return self._content("callgrind").decode()

    def to_svg(self, metric: str = "wall", invert: bool = False) -> str:
        """The text of a picture, a flame graph for web browsers; inverted, callees stand above their callers."""
        return self._content("svg", metric, invert).decode()

    def to_pstats(self, metric: str = "wall") -> bytes:
        """The bytes of a file for the module ``pstats``, snakeviz and tuna; seconds of wall-clock or "cpu" time."""
        return self._content("pstats", metric)

    def to_pprof(self, metric: str = "wall") -> bytes:
        """The bytes of a file for pprof, with all metrics; ``metric`` is shown first."""
        return self._content("pprof", metric)


class _Process(Captures):
    """This process, as `tscap save` shows it unasked."""

    def _captured(self) -> Tuple[Any, Tuple[Any, ...]]:
        return _select.core, ()


_process = _Process()


def save(path: Path, *, force: bool = False) -> None:
    """Write what the session recorded, and what attach and collectors did, as a capture file: ``tscap dump PATH`` reads it.

    It is what ``tscap save PID`` writes from outside, without compression. An existing file is replaced only with ``force``, a
    segment never. Raises Capture_Error.
    """
    _process.save(path, force=force)


def convert(path: Path, format: str, *, metric: str = "wall", invert: bool = False, force: bool = False) -> None:
    """Write the same as a file for other programs: csv, folded, speedscope, pstats, callgrind, pprof or svg.

    ``metric``: "wall", "cpu" or "calls", for formats that have room for one; ``invert``: of svg, callees above their callers.
    Raises Capture_Error, and ValueError for a format or metric that there is not.
    """
    _process.convert(path, format, metric=metric, invert=invert, force=force)
