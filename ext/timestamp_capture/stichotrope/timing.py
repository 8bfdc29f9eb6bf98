"""The clock of ``Profiler``."""

from __future__ import annotations

import time

get_time_ns = time.perf_counter_ns


def measure_timing_overhead(iterations: int = 10000) -> float:
    """Nanoseconds that one call of get_time_ns() takes, the loop around it taken out: the median of five rounds of ``iterations``
    calls. Raises ValueError if ``iterations`` is less than 1."""
    if iterations < 1:
        raise ValueError(f"iterations must be 1 or more, not {iterations}")
    rounds = sorted(_round(iterations) for _ in range(5))
    return max(rounds[2], 0.0)


def _round(iterations: int) -> float:
    begin = get_time_ns()
    for _ in range(iterations):
        pass
    middle = get_time_ns()
    for _ in range(iterations):
        get_time_ns()
    end = get_time_ns()
    return ((end - middle) - (middle - begin)) / iterations
