"""Collectors: what the enclosed code calls, kept and added up in the process that runs it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Callable, Literal, Optional, TypeVar, cast

from ._later import Later
from ._select import core
from .captures import Captures
from .entries import Entries, Notes
from .schemas import NS_TO_MS, Schema__Timestamp_Entry

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures
    from types import SimpleNamespace

    from . import analysis, budget, export, propagation, report
    from .export import Path
    from .schemas import Schema__Call_Tree_Node, Schema__Export_Full, Schema__Export_Summary, Schema__Method_Timing, Schema__Speedscope
else:
    analysis, budget, export = Later("analysis"), Later("budget"), Later("export")
    propagation, report = Later("propagation"), Later("report")

C = TypeVar("C", bound="Timestamp_Collector")
F = TypeVar("F", bound=Callable[..., Any])


class Timestamp_Collector(core.Collector, Captures):
    """Record what the enclosed code calls: entries and sums.

        with Timestamp_Collector("request") as collector:
            handle()
        collector.print_report()

    Recorded is what the frame that entered calls, directly or not, at any depth: other threads, and tasks or generators that
    take turns with this one, are not. May be entered again and again, also while it is entered, and by several threads;
    sums add up. ``complete`` is False when something of it could not be recorded. Raises RuntimeError on entry where
    recording is not possible.

    The first ``max_entries`` entries are kept, 24 bytes each; ``dropped`` counts the others. Timings count all.

    With ``propagate=True`` the threads, tasks and work of thread pools that are started by what it encloses are enclosed, too,
    each on a stack of its own; ``bind()`` and ``executor()`` do so for single ones.

    One that was never entered records for the frames that hold it in a local variable (an argument, a module's variable)
    named ``_timestamp_collector_``, on any thread, for as long as it exists:

        _timestamp_collector_ = Timestamp_Collector("request")
        handle()
    """

    propagate: bool = False
    thread_id: int

    def __new__(cls: type[C], *args: Any, **kwargs: Any) -> C:
        wanted = Propagating_Collector if cls is Timestamp_Collector and kwargs.get("propagate") else cls
        self = cast(C, super().__new__(cast(Any, wanted)))
        self.thread_id = threading.get_ident()
        self._notes = Notes()
        self._loops = []
        return self

    def __init__(self, name: str = "default", max_entries: int = 1_000_000, *, propagate: bool = False) -> None:
        if propagate and not self.propagate:
            raise TypeError("a subclass of Timestamp_Collector propagates if it derives from Propagating_Collector")
        super().__init__(name, max_entries)

    _notes: Notes
    _loops: list[Optional[asyncio.AbstractEventLoop]]  # one per stay of a collector that propagates

    # ---- recording by hand ----

    def enter(self, name: str, extra: Optional[dict[str, Any]] = None) -> None:
        """A block of that name begins. Does nothing unless the collector is entered on this thread."""
        self._note(self._begin(name), extra)

    def exit(self, name: str, extra: Optional[dict[str, Any]] = None) -> None:
        """The innermost block of that name that enter() began ends; without one, nothing happens."""
        self._note(self._end(name), extra)

    def record(self, name: str, event: str, extra: Optional[dict[str, Any]] = None) -> Optional[Schema__Timestamp_Entry]:
        """enter() for ``"enter"`` and exit() for ``"exit"``, giving the entry; None when inactive, or if it was not kept.

        Other events, and ends without a beginning, belong to no call: they are among this collector's entries and nowhere else.
        """
        if not self.is_active():
            return None
        begins = event == "enter"
        number = self._begin(name) if begins else self._end(name) if event == "exit" else None
        if number is None:
            return None if begins else self._mark(name, event, extra)
        self._note(number, extra)
        return self._entry_numbered(number) if number >= 0 else None

    def _note(self, number: Optional[int], extra: Optional[dict[str, Any]]) -> None:
        if extra is not None and number is not None and number >= 0:
            self._notes.extra[number] = extra

    def _entry_numbered(self, number: int) -> Optional[Schema__Timestamp_Entry]:
        entries = Entries(self, self._notes)
        for start in range(self._kept - 1, -1, -1):  # almost always the last one
            row = self._rows(start, start + 1)
            if row and row[0][8] == number:
                return entries._entry(row[0])
        return None

    def _mark(self, name: str, event: str, extra: Optional[dict[str, Any]]) -> Optional[Schema__Timestamp_Entry]:
        if len(self._notes.marks) >= self.max_entries:
            return None
        now = time.perf_counter_ns()
        entry = Schema__Timestamp_Entry(name, event, now, time.time_ns(), threading.get_ident(), self._depth, extra)
        self._notes.marks.append((self._kept, entry))
        return entry

    # ---- what there is ----

    @property
    def entries(self) -> Entries:
        """The entries, by time: a sequence that makes them when they are looked at."""
        return Entries(self, self._notes)

    def entry_count(self) -> int:
        """Number of entries: two for each call, its beginning and its end, and two for each time that a generator, coroutine or
        block of a task waits; dropped ones included."""
        return super().entry_count() + len(self._notes.marks)

    def total_duration_ms(self) -> float:
        """Milliseconds inside, all stays together."""
        return self.total_duration_ns() / NS_TO_MS

    def method_count(self) -> int:
        """Number of distinct names recorded."""
        return len({name for name, *_ in self.timings()} | {mark.name for _, mark in self._notes.marks})

    @property
    def _active(self) -> bool:
        return self.is_active()

    @property
    def _call_stack(self) -> list[Schema__Timestamp_Entry]:
        """The entries of what is open on this thread, outermost first."""
        stack: list[Schema__Timestamp_Entry] = []
        here = threading.get_ident()
        entries = Entries(self, self._notes)
        for row in self._rows(0, self._kept):
            if row[4] != here:
                continue
            if row[1] in ("enter", "resume"):
                stack.append(entries._entry(row))
            elif stack:
                stack.pop()
        return stack

    @property
    def _depth(self) -> int:
        return len(self._call_stack)

    # ---- analysis ----

    def get_method_timings(self) -> dict[str, Schema__Method_Timing]:
        """name -> its timing, in the order of first ends."""
        return analysis.Timestamp_Collector__Analysis(self).get_method_timings()

    def get_hotspots(self, top_n: int = 10) -> list[Schema__Method_Timing]:
        """The names that took most time of their own."""
        return analysis.Timestamp_Collector__Analysis(self).get_hotspots(top_n)

    def get_timings_by_total(self) -> list[Schema__Method_Timing]:
        """By inclusive time."""
        return analysis.Timestamp_Collector__Analysis(self).get_timings_by_total()

    def get_timings_by_call_count(self) -> list[Schema__Method_Timing]:
        """By number of calls."""
        return analysis.Timestamp_Collector__Analysis(self).get_timings_by_call_count()

    def roll_up(self, separator: str = ".") -> dict[str, Schema__Method_Timing]:
        """prefix -> the sums of all names that begin with it; see Timestamp_Collector__Analysis.roll_up()."""
        return analysis.Timestamp_Collector__Analysis(self).roll_up(separator)

    def assert_budget(
        self,
        name: Optional[str] = None,
        *,
        total_ms: Optional[float] = None,
        self_ms: Optional[float] = None,
        avg_ms: Optional[float] = None,
        max_ms: Optional[float] = None,
        elapsed_ms: Optional[float] = None,
        calls: Optional[int] = None,
    ) -> None:
        """Raise AssertionError if the calls of ``name`` took more, or were more, than this.

        ``name`` may have wildcards (``db.*``): then each name it matches must keep to the limits. That nothing matches is an
        error, too, unless ``calls=0`` is the limit. ``max_ms`` limits what the longest call ran, ``elapsed_ms`` the time from its
        first start to its return, of which a coroutine that waits runs a part. Without a name, ``total_ms`` is the limit of the
        whole collector.

            collector.assert_budget("parse", avg_ms=2, calls=10)
        """
        over = budget.over_budget(
            self, name, total_ms=total_ms, self_ms=self_ms, avg_ms=avg_ms, max_ms=max_ms, elapsed_ms=elapsed_ms, calls=calls
        )
        if over:
            raise AssertionError("over budget: " + "; ".join(over))

    # ---- reports ----

    def format_report(self, show_self_time: bool = True) -> str:
        """The report as text: one row per name, by inclusive time."""
        return report.Timestamp_Collector__Report(self).format_report(show_self_time)

    def format_timeline(self, max_entries: int = 100) -> str:
        """The first entries as text, by time from the start."""
        return report.Timestamp_Collector__Report(self).format_timeline(max_entries)

    def format_hotspots(self, top_n: int = 10) -> str:
        """The names that took most time of their own, as text."""
        return report.Timestamp_Collector__Report(self).format_hotspots(top_n)

    def print_report(self, show_self_time: bool = True) -> None:
        """Print format_report()."""
        report.Timestamp_Collector__Report(self).print_report(show_self_time)

    def print_timeline(self, max_entries: int = 100) -> None:
        """Print format_timeline()."""
        report.Timestamp_Collector__Report(self).print_timeline(max_entries)

    def print_hotspots(self, top_n: int = 10) -> None:
        """Print format_hotspots()."""
        report.Timestamp_Collector__Report(self).print_hotspots(top_n)

    def print_all(self) -> None:
        """Print report, hotspots and timeline."""
        report.Timestamp_Collector__Report(self).print_all()

    # ---- exports ----

    def build_call_tree(self) -> list[Schema__Call_Tree_Node]:
        """The outermost calls, with what they called in ``children``."""
        return export.Timestamp_Collector__Export(self).build_call_tree()

    def to_flame_graph_stacks(self) -> list[str]:
        """Folded stacks: ``root;child NANOSECONDS``."""
        return export.Timestamp_Collector__Export(self).to_flame_graph_stacks()

    def to_flame_graph_string(self) -> str:
        """The same as one string."""
        return export.Timestamp_Collector__Export(self).to_flame_graph_string()

    def to_export_full(self) -> Schema__Export_Full:
        """All there is."""
        return export.Timestamp_Collector__Export(self).to_export_full()

    def to_export_summary(self) -> Schema__Export_Summary:
        """The ten names that took most time of their own."""
        return export.Timestamp_Collector__Export(self).to_export_summary()

    def to_json(self) -> dict[str, Any]:
        """The full export as a dict."""
        return export.Timestamp_Collector__Export(self).to_json()

    def json(self) -> dict[str, Any]:
        """The full export as a dict."""
        return self.to_json()

    def obj(self) -> SimpleNamespace:
        """The full export as a namespace."""
        return self.to_export_full().obj()

    def to_json_file(self, filepath: Path) -> Path:
        """Write the full export as JSON text."""
        return export.Timestamp_Collector__Export(self).to_json_file(filepath)

    def to_summary_json(self) -> dict[str, Any]:
        """The summary as a dict."""
        return export.Timestamp_Collector__Export(self).to_summary_json()

    def to_speedscope(self) -> Schema__Speedscope:
        """A profile per thread, for https://www.speedscope.app"""
        return export.Timestamp_Collector__Export(self).to_speedscope()

    def to_speedscope_json(self) -> str:
        """The text of a speedscope file."""
        return export.Timestamp_Collector__Export(self).to_speedscope_json()

    def to_speedscope_file(self, filepath: Path) -> Path:
        """Write a speedscope file."""
        return export.Timestamp_Collector__Export(self).to_speedscope_file(filepath)

    def _captured(self) -> tuple[Any, tuple[Any, ...]]:
        return self, ()

    # ---- propagation ----

    def bind(self, function: F) -> F:
        """The same function, enclosed by this collector wherever it is called: in another thread, task or pool.

        Of a coroutine object, the same coroutine, to be awaited or made a task of.
        """
        bound: F = propagation.bind(self, function)
        return bound

    def executor(self, executor: concurrent.futures.Executor) -> concurrent.futures.Executor:
        """The same executor; what is submitted by way of this one is enclosed. Of threads, not of processes."""
        enclosing: concurrent.futures.Executor = propagation.Enclosing_Executor(self, executor)
        return enclosing


class Propagating_Collector(Timestamp_Collector):
    """What ``Timestamp_Collector(propagate=True)`` makes."""

    propagate = True

    def __enter__(self: C) -> C:
        super().__enter__()
        self._loops.append(propagation.begin())
        return self

    def __exit__(self, *exception: object) -> Literal[False]:
        if self._loops:
            propagation.end(self._loops.pop())
        return super().__exit__(*exception)
