"""Sums per name, in the orders that one looks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .schemas import Schema__Method_Timing

if TYPE_CHECKING:
    from .collector import Timestamp_Collector


class Timestamp_Collector__Analysis:
    """The timings of a collector, up to now."""

    def __init__(self, collector: Timestamp_Collector) -> None:
        self.collector = collector

    def __enter__(self) -> Timestamp_Collector__Analysis:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def get_method_timings(self) -> dict[str, Schema__Method_Timing]:
        """name -> its timing, in the order of first ends."""
        elapsed = {name: times for name, *times in self.collector.elapsed_times()}
        return {
            name: Schema__Method_Timing(name, calls, inclusive, least, most, exclusive, *elapsed.get(name, ()))
            for name, calls, inclusive, exclusive, least, most in self.collector.timings()
        }

    def get_hotspots(self, top_n: int = 10) -> list[Schema__Method_Timing]:
        """The names that took most time of their own."""
        return sorted(self.get_method_timings().values(), key=lambda timing: -timing.self_ns)[:top_n]

    def get_timings_by_total(self) -> list[Schema__Method_Timing]:
        """By inclusive time."""
        return sorted(self.get_method_timings().values(), key=lambda timing: -timing.total_ns)

    def get_timings_by_call_count(self) -> list[Schema__Method_Timing]:
        """By number of calls."""
        return sorted(self.get_method_timings().values(), key=lambda timing: -timing.call_count)

    def roll_up(self, separator: str = ".") -> dict[str, Schema__Method_Timing]:
        """prefix -> the sums of all names that begin with it: of ``a.b.c`` those are ``a``, ``a.b`` and ``a.b.c``.

        ``total_ns`` is the time that any of them was open, on each thread: names within others of the same prefix do not
        count twice. ``elapsed_ns`` is 0, for which waits lie within others is not known. Raises RuntimeError if entries were
        dropped, for then nothing of this is.
        """
        if self.collector.dropped:
            raise RuntimeError(f"{self.collector.dropped} entries were dropped: give the collector a larger max_entries than {self.collector.max_entries}")
        sums: dict[str, Schema__Method_Timing] = {}
        for timing in self.get_method_timings().values():
            for prefix in prefixes(timing.name, separator):
                known = prefix in sums
                total = sums.setdefault(prefix, Schema__Method_Timing(prefix))
                total.call_count += timing.call_count
                total.self_ns += timing.self_ns
                total.min_ns = min(total.min_ns, timing.min_ns) if known else timing.min_ns
                total.max_ns = max(total.max_ns, timing.max_ns)
                total.elapsed_min_ns = min(total.elapsed_min_ns, timing.elapsed_min_ns) if known else timing.elapsed_min_ns
                total.elapsed_max_ns = max(total.elapsed_max_ns, timing.elapsed_max_ns)
        self._add_open_times(sums, separator)
        return sums

    def _add_open_times(self, sums: dict[str, Schema__Method_Timing], separator: str) -> None:
        """By the entries; what is open still has taken the time until the last of them."""
        open_calls: dict[tuple[int, str], list[int]] = {}
        last = 0
        for name, event, when, _, _, _, thread, *_ in self.collector._rows(0, self.collector._kept):
            last = when
            for prefix in prefixes(name, separator):
                since = open_calls.setdefault((thread, prefix), [])
                if event in ("enter", "resume"):
                    since.append(when)
                elif since:
                    began = since.pop()
                    if not since:
                        sums[prefix].total_ns += when - began
        for (_, prefix), since in open_calls.items():
            if since:
                sums[prefix].total_ns += last - since[0]


def prefixes(name: str, separator: str) -> list[str]:
    """``a.b.c`` -> ``a``, ``a.b``, ``a.b.c``."""
    parts = name.split(separator)
    return [separator.join(parts[: i + 1]) for i in range(len(parts))]
