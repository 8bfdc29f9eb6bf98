"""Budgets: how much time calls may take, for tests."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Optional

from .analysis import Timestamp_Collector__Analysis
from .schemas import NS_TO_MS, Schema__Method_Timing

if TYPE_CHECKING:
    from .collector import Timestamp_Collector


def over_budget(
    collector: Timestamp_Collector,
    name: Optional[str] = None,
    *,
    total_ms: Optional[float] = None,
    self_ms: Optional[float] = None,
    avg_ms: Optional[float] = None,
    max_ms: Optional[float] = None,
    elapsed_ms: Optional[float] = None,
    calls: Optional[int] = None,
) -> list[str]:
    """What is over its budget, in words; see Timestamp_Collector.assert_budget()."""
    limits = {"total_ms": total_ms, "self_ms": self_ms, "avg_ms": avg_ms, "max_ms": max_ms, "elapsed_ms": elapsed_ms, "calls": calls}
    wanted = {key: limit for key, limit in limits.items() if limit is not None}
    if not wanted or (name is None and set(wanted) != {"total_ms"}):
        raise TypeError("a budget needs a name and a limit (total_ms, self_ms, avg_ms, max_ms, elapsed_ms, calls), or total_ms alone for all")
    if name is None:
        took = collector.total_duration_ns() / NS_TO_MS
        return [f"{collector.name}: total_ms {took:.3f} > {wanted['total_ms']}"] if took > wanted["total_ms"] else []
    timings = Timestamp_Collector__Analysis(collector).get_method_timings()
    matching = [timing for timing in timings.values() if fnmatch.fnmatchcase(timing.name, name)]
    if not matching and calls != 0:
        return [f"{name}: no call was recorded"]
    over = [] if collector.complete else [f"{name}: not known, for some of what was called could not be recorded"]
    return over + [line for timing in matching for line in _over(timing, wanted)]


def _over(timing: Schema__Method_Timing, wanted: dict[str, float]) -> list[str]:
    values = {
        "total_ms": timing.total_ms(),
        "self_ms": timing.self_ms(),
        "avg_ms": timing.avg_ms(),
        "max_ms": timing.max_ms(),
        "elapsed_ms": timing.elapsed_max_ms(),
        "calls": timing.call_count,
    }
    return [f"{timing.name}: {key} {values[key]:.6g} > {limit}" for key, limit in wanted.items() if values[key] > limit]
