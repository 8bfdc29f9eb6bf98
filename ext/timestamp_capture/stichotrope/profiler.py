"""``Profiler``: tracks of functions and blocks, switched at run time."""

from __future__ import annotations

import os
import threading
import weakref
from types import FunctionType
from typing import Any, Callable, Collection, ContextManager, Dict, List, Mapping, Optional, Tuple, TypeVar, Union

from ..captures import Captures
from . import _numbers, export
from ._checks import checked_bytes, checked_iterations, checked_text
from ._places import Place, Places
from ._recorder import Blocks, frame_of_user, make_recorder
from ._repeat import RepeatResult
from ._rows import Row
from ._settings import Config, read_settings
from .timing import get_time_ns
from .types import ProfileBlock, ProfilerResults, ProfileTrack, TrackId

T = TypeVar("T")

ThreadKey = Union[int, Tuple[int, int]]
_Rows = Dict[Place, Row]
_PATIENCE = 2.0  # s


class _All:
    """Of the process: all profilers, and the switch that they share."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.enabled = True
        self.made = 0
        self.profilers: weakref.WeakSet[Profiler] = weakref.WeakSet()


_all = _All()


def set_global_enabled(enabled: bool) -> None:
    """Switch all profilers on or off, at once and on all threads, whatever was decorated before or is afterwards.

    What is switched off costs tracked functions nothing. A call or block that is open goes on being what it was when it began.
    """
    with _all.lock:
        _all.enabled = bool(enabled)
        profilers = list(_all.profilers)
        for profiler in profilers:
            profiler._switch()


def is_global_enabled() -> bool:
    """Is profiling on, as far as set_global_enabled() goes?"""
    return _all.enabled


class Profiler(Blocks, Captures):
    """Measures functions and blocks of code, in tracks that belong together.

        profiler = Profiler("MyApp")

        @profiler.track(0, "process_data")
        def process_data(data): ...

        def handle():
            with profiler.block(1, "database_query"):
                ...

        profiler.print_results()

    Tracks are numbered from 0 or named, one kind for all of a profiler's. Three switches decide whether a call is measured,
    each for all threads at once, as they stand when it begins: ``set_global_enabled()``, ``set_track_enabled()`` and
    ``start()`` with ``stop()``. A profiler is started when it is made; ``with profiler:`` starts it and stops it at the end.

    Settings are ``enabled`` (started from the beginning), ``disabled_tracks``, ``track_names`` ({id: name}) and ``extended``
    (exports have all columns); those not given here come from ``config`` (a mapping), the environment (TSCAP_PROFILER_ENABLED
    and so on), a TOML file (``config`` as a path, or TSCAP_PROFILER_CONFIG), the table [tool.timestamp_capture.profiler] of the
    nearest pyproject.toml. They are read now, and not again. Raises ValueError for what cannot be used, saying why.
    """

    def __init__(
        self,
        name: str = "Profiler",
        *,
        config: Optional[Config] = None,
        enabled: Optional[bool] = None,
        disabled_tracks: Optional[Collection[TrackId]] = None,
        track_names: Optional[Mapping[TrackId, str]] = None,
        extended: Optional[bool] = None,
    ) -> None:
        self._name = checked_text("a profiler's name", name)
        code = {"enabled": enabled, "disabled_tracks": disabled_tracks, "track_names": track_names, "extended": extended}
        settings = read_settings(config, code)
        self._extended = settings.extended
        self._started = settings.enabled
        self._lock = threading.RLock()
        self._places = Places()
        self._recorder = make_recorder(self._name, weakref.WeakMethod(self._order_enabled))
        for track_idx in settings.disabled_tracks:
            self.set_track_enabled(track_idx, False)
        for track_idx, track_name in settings.track_names.items():
            self.set_track_name(track_idx, track_name)
        with _all.lock:
            _all.made += 1
            self._made = _all.made
            _all.profilers.add(self)
            self._switch()

    # ---- switches ----

    def start(self) -> None:
        """Measure what begins from now on. Does nothing if it is started."""
        self._set_started(True)

    def stop(self) -> None:
        """Measure nothing that begins from now on; what is open is measured to its end."""
        self._set_started(False)

    def is_started(self) -> bool:
        """Started, and not stopped since?"""
        return self._started

    def _set_started(self, started: bool) -> None:
        with _all.lock, self._lock:
            self._started = started
            self._switch()

    def __enter__(self: P) -> P:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def set_track_enabled(self, track_idx: TrackId, enabled: bool) -> None:
        """Switch one track on or off, on all threads. Tracks are on from the beginning."""
        with self._lock:
            self._recorder.select(self._places.set_enabled(track_idx, enabled))
            self._tell(track_idx)

    def _tell(self, track_idx: TrackId) -> None:
        self._recorder.tell_track(track_idx, self._places.is_enabled(track_idx), self._places.tracks[track_idx].name)

    def _order_enabled(self, track_idx: TrackId, enabled: bool) -> None:
        """As another terminal says. What takes long meanwhile, such as a reading, is not waited for."""
        if not self._lock.acquire(timeout=_PATIENCE):
            raise TimeoutError(f"profiler {self._name!r} is busy: the same again")
        try:
            self.set_track_enabled(track_idx, enabled)
        finally:
            self._lock.release()

    def is_track_enabled(self, track_idx: TrackId) -> bool:
        """Is the track on?"""
        with self._lock:
            return self._places.is_enabled(track_idx)

    def enable_track(self, track_idx: TrackId) -> None:
        """set_track_enabled(track_idx, True)"""
        self.set_track_enabled(track_idx, True)

    def disable_track(self, track_idx: TrackId) -> None:
        """set_track_enabled(track_idx, False)"""
        self.set_track_enabled(track_idx, False)

    def set_track_name(self, track_idx: TrackId, name: str) -> None:
        """What the track is called in results."""
        with self._lock:
            self._places.set_name(track_idx, name)
            self._tell(track_idx)

    def _switch(self) -> None:
        with self._lock:
            self._recorder.run(_all.enabled and self._started)
            self._recorder.tell_switches(self._started, _all.enabled)

    # ---- what is measured ----

    def track(self, track_idx: TrackId, name: Optional[str] = None) -> Callable[[T], T]:
        """A decorator: each call of the function is a hit of ``name``, by default the function's own.

        Generators and coroutines are one hit each, and their time is the time they ran. classmethod, staticmethod, property,
        functools.partial and lru_cache objects are measured by the functions inside; of a class, all that it defines, under
        their qualified names. With the compiled recorder the very same object is returned.
        """
        if name is not None:
            checked_text("a block's name", name)
        with self._lock:
            track = self._places.checked(track_idx)

        def decorator(target: T) -> T:
            if not (callable(target) or hasattr(type(target), "__get__")):
                raise TypeError(f"track() measures Python functions, not {type(target).__name__} objects: decorate a function, or use block()")
            with self._lock:
                decorated: T = self._recorder.track(target, lambda function, called: self._place_of(track, function, called), name)
            return decorated

        return decorator

    def _place_of(self, track_idx: TrackId, function: FunctionType, name: Optional[str]) -> Place:
        code = function.__code__
        place = self._places.function(self._places.checked(track_idx), name or function.__name__, code.co_filename, code.co_firstlineno)
        place.shown = place.shown or _all.enabled
        return place

    def _new_block(self, track_idx: TrackId, name: str, *, bytes: int = 0) -> ContextManager[None]:
        """What block() gives of places that it does not know, or that are to count bytes."""
        frame, count = frame_of_user(), checked_bytes(bytes)
        with self._lock:
            track, text = self._places.checked(track_idx), checked_text("a block's name", name)
            place = self._places.find_block(track, text)
            if place is None:
                place = self._places.block(track, text, frame.f_code.co_filename, frame.f_lineno)
                found_by = self._recorder.found_by(place)
                if found_by is not None:
                    self._remember_block(found_by)
            return self._recorder.block(place, count)

    def repeat(
        self, iterations: int, func: Callable[[], Any], *, track_idx: Optional[TrackId] = None, name: Optional[str] = None
    ) -> RepeatResult:
        """Call ``func()`` that many times and say what that took: mean, standard deviation, 95 % interval of the mean, outliers.

        With a ``track_idx`` each call is a hit of ``name``, by default the function's own, in that track, too. The times are
        taken whatever the switches say. An exception of ``func`` ends it and passes through.
        """
        checked_iterations(iterations)
        if not callable(func):
            raise TypeError(f"repeat() calls a function, not {type(func).__name__} objects: pass the function itself")
        called = checked_text("a block's name", name) if name is not None else getattr(func, "__name__", type(func).__name__)
        if track_idx is None:
            return RepeatResult(called, [_time_of(func) for _ in range(iterations)])
        times = []
        for _ in range(iterations):
            with self.block(track_idx, called):
                times.append(_time_of(func))
        return RepeatResult(called, times)

    # ---- what was measured ----

    def get_results(self) -> ProfilerResults:
        """What was recorded by now, of all threads together: a copy. Hits count when they end."""
        with self._lock:
            return self._results(self._recorder.rows(), True)

    def get_all_thread_data(self) -> Dict[ThreadKey, ProfilerResults]:
        """{thread's ident: its results} of each thread that has any.

        Where an ident was used again after its thread had ended, it is that of the last one; those before are (ident, 1),
        (ident, 2) and so on. Threads that ended before the last 256 of them did are summed up under 0.
        """
        with self._lock:
            rows = self._recorder.rows_of_threads()
            results: Dict[ThreadKey, ProfilerResults] = {}
            for key, (_, of_thread) in zip(_keys([ident for ident, _ in rows]), rows):
                results[key] = self._results(of_thread, False)
            return results

    @property
    def _all_thread_data(self) -> Dict[ThreadKey, ProfilerResults]:
        return self.get_all_thread_data()

    def _results(self, rows: _Rows, whole: bool) -> ProfilerResults:
        results = ProfilerResults(self._name)
        for track_idx, name, enabled, places in self._places.with_rows(rows):
            track = ProfileTrack(track_idx, name, enabled)
            for place in places:
                if place.number is not None and (whole or place in rows):
                    track.blocks[place.number] = _block(place, rows.get(place))
            if whole or track.blocks:
                results.tracks[track_idx] = track
        return results

    def clear(self) -> None:
        """Forget what was recorded, on all threads; what is open now is not counted. Switches and names stay."""
        with self._lock:
            self._recorder.clear()
            self._places.hide()

    def export_csv(self, filename: export.Destination, *, extended: Optional[bool] = None) -> None:
        """Write results as CSV to a path or an open text file; see ``export_csv()``."""
        export.export_csv(self.get_results(), filename, extended=self._extends(extended))

    def export_json(self, filename: export.Destination, indent: Optional[int] = 2, *, extended: Optional[bool] = None) -> None:
        """Write results as JSON to a path or an open text file; see ``export_json()``."""
        export.export_json(self.get_results(), filename, indent, extended=self._extends(extended))

    def print_results(self, *, extended: Optional[bool] = None) -> None:
        """Print results as tables; see ``print_results()``."""
        export.print_results(self.get_results(), extended=self._extends(extended))

    def _captured(self) -> Tuple[Any, Tuple[Any, ...]]:
        with self._lock:
            return self._recorder.captured(), ()

    def _extends(self, extended: Optional[bool]) -> bool:
        return self._extended if extended is None else extended

    def __repr__(self) -> str:
        results = self.get_results()
        threads = len(self.get_all_thread_data())
        return f"Profiler(name={self._name!r}, tracks={len(results.tracks)}, threads={threads}, started={self._started})"


P = TypeVar("P", bound=Profiler)


def _time_of(func: Callable[[], Any]) -> int:
    begin = get_time_ns()
    func()
    return get_time_ns() - begin


def _keys(idents: List[int]) -> List[ThreadKey]:
    """By thread, in the order in which they came: the last one of an ident has it alone."""
    last = {ident: i for i, ident in enumerate(idents)}
    seen: Dict[int, int] = {}
    keys: List[ThreadKey] = []
    for i, ident in enumerate(idents):
        seen[ident] = seen.get(ident, 0) + 1
        keys.append(ident if last[ident] == i else (ident, seen[ident]))
    return keys


def _block(place: Place, row: Optional[Row]) -> ProfileBlock:
    block = ProfileBlock(place.name, place.file, place.line)
    if row is None or not row.hits:
        return block
    block.hit_count, block.total_time_ns = row.hits, row.total
    block.min_time_ns, block.max_time_ns = row.least, row.most
    block.self_time_ns, block.cpu_time_ns = row.self_time, row.cpu
    block.p50_time_ns, block.p95_time_ns, block.p99_time_ns = row.p50, row.p95, row.p99
    block.std_time_ns = row.deviation
    block.exception_count, block.total_bytes = row.raised, row.bytes
    return block


def _in_child() -> None:
    """A forked child counts for itself; locks that other threads held are not theirs any more."""
    _all.lock = threading.RLock()
    _numbers.in_child()
    profilers = sorted(_all.profilers, key=lambda profiler: profiler._made)  # in the order in which tscap has the parent's
    for profiler in profilers:
        profiler._lock = threading.RLock()
    for profiler in profilers:
        profiler._recorder.in_child()
        profiler._places.hide()
        profiler._switch()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
