"""Collectors: what the enclosed code calls, added up in the process that ran it."""

from __future__ import annotations

from ._select import core


class Timestamp_Collector(core.Collector):
    """Record what the enclosed code calls, and add it up.

        with Timestamp_Collector("request") as collector:
            handle()
        collector.print_report()

    Recorded is what the frame that entered calls, directly or not: other threads, and tasks or generators that take turns
    with this one, are not. May be entered again and again, also while it is entered; sums add up. ``complete`` is False
    when something of it could not be recorded. Raises RuntimeError on entry where recording is not possible.

    One that was never entered records for the frames that hold it in a local variable (an argument, a module's variable)
    named ``_timestamp_collector_``, on any thread, for as long as it exists:

        _timestamp_collector_ = Timestamp_Collector("request")
        handle()
    """

    def total_duration_ms(self) -> float:
        """Milliseconds inside, all stays together."""
        return self.total_duration_ns() / 1_000_000

    def method_count(self) -> int:
        """Number of distinct names recorded."""
        return len({name for name, *_ in self.timings()})

    def format_report(self) -> str:
        """The report as text: one row per name, by inclusive time."""
        total = self.total_duration_ns()
        rows = sorted(self.timings(), key=lambda row: -row[2])
        width = min(max([len(row[0]) + 2 for row in rows] + [40]), 80)
        double, single = "=" * (width + 50), "-" * (width + 50)
        lines = [
            double,
            f"Timestamp Report: {self.name}",
            double,
            "",
            f"  Total Duration : {total / 1e6:,.2f} ms",
            f"  Entry Count    : {self.entry_count():,}",
            f"  Methods Traced : {self.method_count()}",
            "",
        ]
        if rows:
            lines += ["Method Timings (sorted by total time):", single, _row(width, "Method", "Calls", "Total", "Self", "Avg", "%Total"), single]
            for name, calls, inclusive, exclusive, *_ in rows:
                mean = inclusive / calls / 1e6 if calls else 0.0
                share = 100 * inclusive / total if total else 0.0
                lines.append(
                    _row(width, name, str(calls), f"{inclusive / 1e6:.2f}ms", f"{exclusive / 1e6:.2f}ms", f"{mean:.3f}ms", f"{share:.1f}%")
                )
        if not self.complete:
            lines += ["", "Incomplete: some of what was called could not be recorded."]
        return "\n".join([*lines, "", double])

    def print_report(self) -> None:
        """Print format_report()."""
        print(self.format_report())


def _row(width: int, name: str, calls: str, total: str, own: str, mean: str, share: str) -> str:
    return f"{name:<{width}} {calls:>6} {total:>11} {own:>11} {mean:>10} {share:>7}"
