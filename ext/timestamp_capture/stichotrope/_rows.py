"""What was recorded of one place: sums, extremes, a histogram."""

from __future__ import annotations

import math
from typing import Dict, NamedTuple

_STEPS = 16  # of each power of two, as the compiled recorder has them
_EXACT = 4  # bits: durations below 16 have a step each


class Row(NamedTuple):
    """Of calls that have ended. Times are ns."""

    hits: int = 0
    total: int = 0  # of the outermost ones of a recursion
    self_time: int = 0
    cpu: int = 0  # as total
    least: int = 0
    most: int = 0
    raised: int = 0
    p50: int = 0
    p95: int = 0
    p99: int = 0
    deviation: float = 0.0
    bytes: int = 0


class Sums(NamedTuple):
    """The exact ones: replaced as a whole by the thread that they are of, so that others never see half of an addition."""

    hits: int = 0
    total: int = 0
    self_time: int = 0
    cpu: int = 0
    least: int = 0
    most: int = 0
    raised: int = 0
    bytes: int = 0

    def with_hit(self, elapsed: int, own: int, cpu: int, outermost: bool, raised: bool, count: int) -> Sums:
        return Sums(
            self.hits + 1,
            self.total + (elapsed if outermost else 0),
            self.self_time + own,
            self.cpu + (cpu if outermost else 0),
            min(self.least, elapsed) if self.hits else elapsed,
            max(self.most, elapsed),
            self.raised + raised,
            self.bytes + count,
        )

    def plus(self, other: Sums) -> Sums:
        if not (self.hits and other.hits):
            return self if self.hits else other
        added = [mine + theirs for mine, theirs in zip(self, other)]
        added[4], added[5] = min(self.least, other.least), max(self.most, other.most)
        return Sums(*added)


def step_of(ns: int) -> int:
    """Of a histogram: durations that are told apart have different ones."""
    shift = ns.bit_length() - _EXACT - 1
    return ns if shift <= 0 else shift * _STEPS + (ns >> shift)


def _middle_of(step: int) -> int:
    """The inverse: the duration in the middle of a step."""
    if step < 2 * _STEPS:
        return step
    shift = step // _STEPS - 1
    return ((step - shift * _STEPS) << shift) + (1 << shift) // 2


def _quantile(histogram: Dict[int, int], hits: int, fraction: float) -> int:
    """The duration below or at which that fraction of all lie; nearest rank."""
    rank = max(1, math.ceil(fraction * hits))
    for step in sorted(histogram):
        rank -= histogram[step]
        if rank <= 0:
            return _middle_of(step)
    return 0


def _deviation(histogram: Dict[int, int], hits: int) -> float:
    if hits < 2:
        return 0.0
    mean = sum(_middle_of(step) * times for step, times in histogram.items()) / hits
    return math.sqrt(sum((_middle_of(step) - mean) ** 2 * times for step, times in histogram.items()) / (hits - 1))


def row_of(sums: Sums, histogram: Dict[int, int]) -> Row:
    hits = sum(histogram.values())

    def quantile(fraction: float) -> int:
        return min(max(_quantile(histogram, hits, fraction), sums.least), sums.most)

    return Row(*sums[:7], quantile(0.50), quantile(0.95), quantile(0.99), _deviation(histogram, hits), sums.bytes)
