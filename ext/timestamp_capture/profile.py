"""``Profile``: the object of the standard library's cProfile, on this recorder.

    from timestamp_capture import Profile

    with Profile() as profile:
        work()
    profile.print_stats("cumulative")

Other than there, several may be enabled at a time, in one thread and in many, beside yappi's session, collectors and ``tscap``; the
functions that call no other cost less; and a call that is open is in the numbers with its time so far.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Literal, Optional, Tuple, TypeVar, Union

from . import _pstat, _rows
from ._hushed import hushed
from ._session import Session
from .captures import Captures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import ParamSpec

    P = ParamSpec("P")

R = TypeVar("R")
Self = TypeVar("Self", bound="Profile")
Sort = Union[str, int, Tuple[Union[str, int], ...]]


class Profile(Captures):
    """Records all Python functions that are called while it is enabled, and C functions unless ``builtins`` is false.

    Recorded is the thread that called ``enable()``; with ``threads=True`` all are. May be enabled again: counts add up. Raises
    RuntimeError where recording is not possible. Times are seconds of real time.
    """

    stats: _pstat.Table

    def __init__(self, timer: None = None, timeunit: None = None, subcalls: bool = True, builtins: bool = True, *, threads: bool = False) -> None:
        if timer is not None or timeunit is not None:
            raise TypeError("Profile() has no timer of yours: times are those of the recorder's clock; leave out timer and timeunit")
        self._subcalls, self._builtins = subcalls, builtins
        self._threads = threads
        self._session = Session("profiler", "Profile")

    # ---- recording ----

    def enable(self, subcalls: Optional[bool] = None, builtins: Optional[bool] = None) -> None:
        """Begin to record. ``subcalls=False``: without who called whom."""
        if subcalls is not None:
            self._subcalls = subcalls
        if builtins is not None:
            self._builtins = builtins
        self._session.start(builtins=self._builtins, everyone=self._threads)

    def disable(self) -> None:
        """Stop recording; what was recorded stays."""
        self._session.stop()

    def clear(self) -> None:
        """Forget what was recorded."""
        self._session.clear()

    def __enter__(self: Self) -> Self:
        self.enable()
        return self

    def __exit__(self, *exception: object) -> Literal[False]:
        self.disable()
        return False

    def run(self: Self, cmd: str) -> Self:
        """Run a statement in the namespace of ``__main__``."""
        import __main__

        return self.runctx(cmd, __main__.__dict__, __main__.__dict__)

    def runctx(self: Self, cmd: Any, globals: Dict[str, Any], locals: Any) -> Self:
        """Run a statement, or code."""
        self.enable()
        try:
            exec(cmd, globals, locals)
        finally:
            self.disable()
        return self

    def runcall(self, func: Callable[P, R], /, *args: P.args, **kw: P.kwargs) -> R:
        """Call a function. Returns what it returns."""
        self.enable()
        try:
            return func(*args, **kw)
        finally:
            self.disable()

    # ---- what was recorded ----

    @hushed
    def create_stats(self) -> None:
        """Stop recording, and make ``stats`` of what was recorded: the table that ``pstats`` reads."""
        self.disable()
        self.snapshot_stats()

    @hushed
    def snapshot_stats(self) -> None:
        """Make ``stats`` of what is recorded by now."""
        self.stats = _pstat.table(_rows.functions(self._session.read(pairs=self._subcalls), cpu=False))

    @hushed
    def print_stats(self, sort: Sort = -1) -> None:
        """Stop recording, and print the functions: by name, or by what ``pstats.Stats.sort_stats()`` takes."""
        keys = sort if isinstance(sort, tuple) else (sort,)
        self.create_stats()
        _pstat.to_pstats(self.stats).strip_dirs().sort_stats(*keys).print_stats()  # type: ignore[arg-type]

    @hushed
    def dump_stats(self, file: Union[str, os.PathLike[str]]) -> None:
        """Stop recording, and write the file that ``pstats``, gprof2dot and snakeviz read."""
        self.create_stats()
        _pstat.dump(self.stats, file)

    def _captured(self) -> Tuple[Any, Tuple[Any, ...]]:
        return self._session.captured()
