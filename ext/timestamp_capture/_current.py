"""The one session that yappi's functions speak of, and what they have set for it."""

from __future__ import annotations

import importlib
import itertools
import os
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from . import _labels, _rows
from ._func_stats import YFuncStat
from ._hushed import hushed
from ._select import core
from ._session import Session
from ._yappi_error import YappiError

CLOCK_TYPES = ("cpu", "wall")
NATIVE_THREAD, GREENLET = "NATIVE_THREAD", "GREENLET"

_session = Session("yappi", "yappi")
_backend = NATIVE_THREAD
_greenlets = itertools.count(1)
clock_type = "cpu"


# ---- what is counted ----


def start(builtins: bool, threads: bool, greenlets: bool) -> None:
    everyone = threads if _backend == NATIVE_THREAD else greenlets
    _session.start(builtins=bool(builtins), everyone=bool(everyone))


stop, clear, is_running = _session.stop, _session.clear, _session.is_running


@hushed
def memory() -> int:
    segment = core.status().get("segment")
    try:
        return os.stat(segment).st_blocks * 512 if segment else 0
    except OSError:  # somebody removed it
        return 0


# ---- statistics ----


def functions(wanted: _rows.Wanted, callback: Optional[Callable[[YFuncStat], object]]) -> Tuple[List[YFuncStat], str, bool]:
    """Rows, the clock they are of, and whether nothing is known to be missing."""
    clock, reading = clock_type, _session.read()
    return _rows.functions(reading, cpu=clock == "cpu", wanted=wanted, callback=callback), clock, reading.complete


def contexts() -> Tuple[List[Tuple[str, int, int, float, int]], str]:
    """Name, id, number of the thread, seconds, turns; and the clock they are of."""
    clock = clock_type
    seconds = [(context, (context.cpu if clock == "cpu" else context.real) / _rows.NS_PER_S) for context in _session.contexts()]
    return [(context.name, context.id, context.tid, spent, context.turns) for context, spent in seconds], clock


def elapsed() -> float:
    """Seconds of the calling thread in the session."""
    rows, _ = contexts()
    return next((seconds for _, _, tid, seconds, _ in rows if tid == threading.get_native_id()), 0.0)


# ---- clocks ----


@hushed
def set_clock_type(type: str) -> None:
    global clock_type
    if type.lower() not in CLOCK_TYPES:
        raise YappiError(f"Invalid clock type:{type}: choose from {', '.join(CLOCK_TYPES)}")
    clock_type = type.lower()


@hushed
def clock_time() -> float:
    return time.thread_time() if clock_type == "cpu" else time.perf_counter()


@hushed
def clock_info() -> Dict[str, str]:
    info = time.get_clock_info("thread_time" if clock_type == "cpu" else "perf_counter")
    return {"api": info.implementation, "resolution": f"{info.resolution * _rows.NS_PER_S:.0f}ns"}


# ---- contexts ----


def backend() -> str:
    return _backend


def set_backend(type: str) -> None:
    global _backend
    if type.upper() not in (NATIVE_THREAD, GREENLET):
        raise YappiError(f"Invalid backend type: {type}: choose from native_thread, greenlet")
    if type.upper() != _backend and _session.has_counted:
        raise YappiError("The context backend cannot be changed while there are statistics: clear_stats() first.")
    id_callback, name_callback = _greenlet_callbacks() if type.upper() == GREENLET else (None, None)
    set_callback(_labels.CONTEXT_ID, id_callback, at_c_functions=False)  # asked often enough: a greenlet is Python code
    set_callback(_labels.CONTEXT_NAME, name_callback)
    _backend = type.upper()


def _greenlet_callbacks() -> Tuple[Callable[[], int], Callable[[], str]]:
    """Numbers of greenlets that no other will have, and the names of their classes."""
    try:
        getcurrent = importlib.import_module("greenlet").getcurrent
    except ImportError as error:
        raise YappiError(f"'greenlet' import failed with: {error!r}") from None

    def number() -> int:
        current = getcurrent()
        known: Optional[int] = getattr(current, "_timestamp_capture_id", None)
        if known is None:
            known = current._timestamp_capture_id = next(_greenlets)
        return known

    def name() -> str:
        return type(getcurrent()).__name__

    return number, name


@hushed
def set_callback(what: str, callback: Optional[Callable[[], Any]], at_c_functions: bool = True) -> None:
    if callback is not None and not callable(callback):
        raise TypeError("callback must be callable, or None")
    _session.labels.set(what, callback, at_c_functions=at_c_functions)
    _session.ask_labels()
