"""Reports as text: timings, timeline, hotspots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable

from .analysis import Timestamp_Collector__Analysis
from .schemas import NS_TO_MS, Schema__Method_Timing

if TYPE_CHECKING:
    from .collector import Timestamp_Collector

MARKERS = {"enter": "▶", "exit": "◀", "suspend": "◁", "resume": "▷"}


class Timestamp_Collector__Report:
    """Formats and prints what a collector has."""

    MIN_METHOD_WIDTH = 40
    MAX_METHOD_WIDTH = 80

    def __init__(self, collector: Timestamp_Collector) -> None:
        self.collector = collector

    def __enter__(self) -> Timestamp_Collector__Report:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def _width(self, names: Iterable[str]) -> int:
        return min(max([len(name) + 2 for name in names] + [self.MIN_METHOD_WIDTH]), self.MAX_METHOD_WIDTH)

    def _share(self, ns: int) -> float:
        total = self.collector.total_duration_ns()
        return 100 * ns / total if total else 0.0

    def _losses(self) -> list[str]:
        lines = []
        if self.collector.dropped and self.collector.max_entries:  # with 0 none were wanted
            lines.append(f"Dropped: {self.collector.dropped:,} entries beyond the first {self.collector.max_entries:,}; timings count all.")
        if not self.collector.complete:
            lines.append("Incomplete: some of what was called could not be recorded.")
        return [""] + lines if lines else []

    def format_report(self, show_self_time: bool = True) -> str:
        """One row per name, by inclusive time; with elapsed times, mean and longest, if generators or coroutines waited."""
        collector = self.collector
        timings = Timestamp_Collector__Analysis(collector).get_timings_by_total()
        width = self._width(timing.name for timing in timings)
        waited = any(timing.elapsed_ns > timing.total_ns for timing in timings)
        line = width + 50 + (22 if waited else 0)
        double, single = "=" * line, "-" * line
        lines = [double, f"Timestamp Report: {collector.name}", double, ""]
        lines += [
            f"  Total Duration : {collector.total_duration_ms():,.2f} ms",
            f"  Entry Count    : {collector.entry_count():,}",
            f"  Methods Traced : {collector.method_count()}",
            "",
        ]
        if timings:
            row = self._row_with_self if show_self_time else self._row_without_self
            header = self._header(width, show_self_time) + (f" {'El.Avg':>10} {'El.Max':>10}" if waited else "")
            lines += ["Method Timings (sorted by total time):", single, header, single]
            lines += [row(width, timing) + (self._elapsed(timing) if waited else "") for timing in timings]
        return "\n".join([*lines, *self._losses(), "", double])

    @staticmethod
    def _header(width: int, show_self_time: bool) -> str:
        if show_self_time:
            return f"{'Method':<{width}} {'Calls':>6} {'Total':>10} {'Self':>10} {'Avg':>9} {'%Total':>7}"
        return f"{'Method':<{width}} {'Calls':>6} {'Total(ms)':>10} {'Avg(ms)':>10} {'%Total':>7}"

    def _row_with_self(self, width: int, timing: Schema__Method_Timing) -> str:
        return (
            f"{timing.name:<{width}} {timing.call_count:>6} {timing.total_ms():>9.2f}ms {timing.self_ms():>9.2f}ms "
            f"{timing.avg_ms():>8.3f}ms {self._share(timing.total_ns):>6.1f}%"
        )

    def _row_without_self(self, width: int, timing: Schema__Method_Timing) -> str:
        return (
            f"{timing.name:<{width}} {timing.call_count:>6} {timing.total_ms():>10.2f} {timing.avg_ms():>10.3f} "
            f"{self._share(timing.total_ns):>6.1f}%"
        )

    @staticmethod
    def _elapsed(timing: Schema__Method_Timing) -> str:
        return f" {timing.elapsed_avg_ms():>8.2f}ms {timing.elapsed_max_ms():>8.2f}ms"

    def format_timeline(self, max_entries: int = 100) -> str:
        """The first entries, by time from the start, indented by depth."""
        collector = self.collector
        entries = collector.entries[:max_entries]
        recorded = collector.entry_count()
        widest = max((12 + 2 * entry.depth for entry in entries), default=0) + max((len(entry.name) for entry in entries), default=0)
        double = "=" * max(80, widest + 4 if entries else 0)
        lines = [double, "Execution Timeline", double]
        if recorded > len(entries):
            lines.append(f"(showing first {len(entries)} of {recorded} entries)")
        for entry in entries:
            offset = (entry.timestamp_ns - collector.start_time_ns) / NS_TO_MS
            lines.append(f"{offset:>10.3f}ms {'  ' * entry.depth}{MARKERS.get(entry.event, '·')} {entry.name}")
        return "\n".join([*lines, double])

    def format_hotspots(self, top_n: int = 10) -> str:
        """The names that took most time of their own."""
        hotspots = Timestamp_Collector__Analysis(self.collector).get_hotspots(top_n)
        width = self._width(timing.name for timing in hotspots)
        double = "=" * (width + 40)
        lines = [double, f"Top {top_n} Hotspots (by self-time)", double]
        for i, timing in enumerate(hotspots, 1):
            lines.append(f"  {i:>2}. {timing.name:<{width}} {timing.self_ms():>8.2f}ms ({self._share(timing.self_ns):>5.1f}%) [{timing.call_count} calls]")
        return "\n".join([*lines, double])

    def print_report(self, show_self_time: bool = True) -> None:
        """Print format_report()."""
        print(self.format_report(show_self_time))

    def print_timeline(self, max_entries: int = 100) -> None:
        """Print format_timeline()."""
        print(self.format_timeline(max_entries))

    def print_hotspots(self, top_n: int = 10) -> None:
        """Print format_hotspots()."""
        print(self.format_hotspots(top_n))

    def print_all(self) -> None:
        """Print report, hotspots and timeline."""
        self.print_report()
        self.print_hotspots()
        self.print_timeline()
