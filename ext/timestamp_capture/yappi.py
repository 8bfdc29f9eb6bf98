"""yappi's interface, on this recorder: ``import timestamp_capture.yappi as yappi``.

    yappi.start()
    work()
    yappi.stop()
    yappi.get_func_stats().print_all()
    yappi.get_thread_stats().print_all()

``start()`` begins to count all Python functions of all threads, and C functions with ``builtins=True``. Statistics can be read from
any thread and at any time, also while others run: no call is lost by that. Both clocks are always recorded, and
``set_clock_type()`` chooses which of them statistics are of, even afterwards. Times are seconds. A call that is open counts with its
time so far. Only what calls in the session are: a call that began before ``start()`` is nobody's caller.

timestamp_capture.yappi(7) is the manual page; it lists what differs from yappi.
"""

from __future__ import annotations

import functools
from typing import Any, Callable, Dict, Mapping, Optional, TypeVar

from . import _columns, _current
from ._columns import LINESEP
from ._context_stats import YGreenletStat, YGreenletStats, YThreadStat, YThreadStats
from ._func_stats import Filter_Callback, YChildFuncStat, YChildFuncStats, YFuncStat, YFuncStats
from ._matching import func_matches, module_matches
from ._pstat import convert2pstats
from ._yappi_error import YappiError
from ._ystats import YStat, YStats

__all__ = [
    "YChildFuncStat",
    "YChildFuncStats",
    "YFuncStat",
    "YFuncStats",
    "YGreenletStat",
    "YGreenletStats",
    "YStat",
    "YStats",
    "YThreadStat",
    "YThreadStats",
    "YappiError",
    "clear_stats",
    "convert2pstats",
    "func_matches",
    "get_clock_info",
    "get_clock_time",
    "get_clock_type",
    "get_func_stats",
    "get_greenlet_stats",
    "get_mem_usage",
    "get_thread_stats",
    "is_running",
    "module_matches",
    "profile",
    "run",
    "set_clock_type",
    "set_context_backend",
    "set_context_id_callback",
    "set_context_name_callback",
    "set_tag_callback",
    "start",
    "stop",
]

F = TypeVar("F", bound=Callable[..., Any])

# ---- the session ----


def start(builtins: bool = False, profile_threads: bool = True, profile_greenlets: bool = True) -> None:
    """Begin to count; after ``stop()`` go on counting. While it runs, nothing changes.

    ``builtins``: C functions, too; without, their time is the caller's own. ``profile_threads``: all threads, or only the calling one.
    ``profile_greenlets``: the same of greenlets, with that backend. Raises RuntimeError where recording is not possible.
    """
    _current.start(builtins, profile_threads, profile_greenlets)


def stop() -> None:
    """Stop counting, from any thread. What was counted stays."""
    _current.stop()


def is_running() -> bool:
    """Is the session running?"""
    return _current.is_running()


def clear_stats() -> None:
    """Forget what was counted. Calls that are open now will not count, however long they last."""
    _current.clear()


class run:
    """``start()`` on entry, ``stop()`` on exit. One inside another stops it, too."""

    def __init__(self, builtins: bool = False, profile_threads: bool = True, profile_greenlets: bool = True) -> None:
        self._arguments = builtins, profile_threads, profile_greenlets

    def __enter__(self) -> None:
        start(*self._arguments)

    def __exit__(self, *exception: object) -> None:
        stop()


# ---- statistics ----


def get_func_stats(
    tag: Optional[int] = None,
    ctx_id: Optional[int] = None,
    filter: Optional[Mapping[str, object]] = None,
    filter_callback: Optional[Filter_Callback] = None,
) -> YFuncStats:
    """The functions as they are now, by falling total time.

    Only those of a tag, of a context (``YThreadStat.id``), or for which ``filter_callback(stat)`` says so. ``filter`` is the old way to
    say it: a dict of "tag", "ctx_id", "name", "module".
    """
    return YFuncStats().get(filter, filter_callback, tag, ctx_id)


def get_thread_stats() -> YThreadStats:
    """The threads as they are now, idle ones, too. Raises YappiError when the backend is "greenlet"."""
    return YThreadStats().get()


def get_greenlet_stats() -> YGreenletStats:
    """The greenlets as they are now. Raises YappiError when the backend is "native_thread"."""
    return YGreenletStats().get()


def get_mem_usage() -> int:
    """Bytes that the recorder holds for all that record in this process, this session among them."""
    return _current.memory()


# ---- clocks ----


def set_clock_type(type: str) -> None:
    """Which clock the statistics that are read from now on are of: "cpu" (the default) or "wall". Raises YappiError for others."""
    _current.set_clock_type(type)


def get_clock_type() -> str:
    """"cpu" or "wall"."""
    return _current.clock_type


def get_clock_time() -> float:
    """What that clock says, in seconds: of the processor time of the calling thread, or since an arbitrary moment."""
    return _current.clock_time()


def get_clock_info() -> Dict[str, str]:
    """"api": what the clock is read by; "resolution": of its reading."""
    return _current.clock_info()


# ---- contexts ----


def set_context_backend(type: str) -> None:
    """What a context is: "native_thread" (the default) or "greenlet". Takes callbacks of contexts away.

    Raises YappiError for others, and for another one than now while there are statistics.
    """
    _current.set_backend(type)


def set_context_id_callback(callback: Optional[Callable[[], int]]) -> None:
    """Ask ``callback()`` in which context a call is; None: the thread's. Raises TypeError for what cannot be called."""
    _current.set_callback("context_id", callback)


def set_context_name_callback(callback: Optional[Callable[[], Optional[str]]]) -> None:
    """Ask ``callback()`` how the context is called; None: the name of the thread's class. Raises TypeError for what cannot be called."""
    _current.set_callback("context_name", callback)


def set_tag_callback(callback: Optional[Callable[[], int]]) -> None:
    """Ask ``callback()`` which tag a call has; None: 0. Raises TypeError for what cannot be called."""
    _current.set_callback("tag", callback)


# ---- one function ----


def profile(
    clock_type: str = "cpu",
    profile_builtins: bool = False,
    return_callback: Optional[Callable[[Callable[..., Any], YFuncStats], object]] = None,
) -> Callable[[F], F]:
    """A decorator: calls of the function are counted in a session of their own, on their thread, and printed when they end.

    ``return_callback(function, statistics)`` is called instead of printing. The session of ``start()`` and what it has counted end:
    this is it.
    """

    def decorate(function: F) -> F:
        depth = 0

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            nonlocal depth
            if depth == 0:
                clear_stats()
                set_clock_type(clock_type)
                start(profile_builtins, profile_threads=False)
            depth += 1
            try:
                return function(*args, **kwargs)
            finally:
                depth -= 1
                if depth == 0:
                    stop()
                    _report(function, clock_type, return_callback)

        return wrapper  # type: ignore[return-value]

    return decorate


def _report(function: Callable[..., Any], clock_type: str, return_callback: Optional[Callable[..., object]]) -> None:
    try:
        stats = get_func_stats()
        if return_callback is not None:
            return_callback(function, stats)
            return
        elapsed = _columns.seconds(_current.elapsed())
        _columns.standard_output().write(f"{LINESEP}Executed in {elapsed} {clock_type.upper()} clock seconds{LINESEP}")
        stats.print_all()
    finally:
        clear_stats()


if __name__ == "__main__":
    import sys

    from . import _yappi_command

    sys.exit(_yappi_command.main())
