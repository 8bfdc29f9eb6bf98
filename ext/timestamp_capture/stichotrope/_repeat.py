"""``Profiler.repeat()``: the times of many runs, and what they say."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import List, Tuple

_BEYOND = 1.5  # interquartile ranges from the quartiles: an outlier
_SERIES = 400  # degrees of freedom up to which t is looked for in its exact series


@dataclass(frozen=True)
class RepeatResult:
    """What the runs of ``Profiler.repeat()`` took. All times are ns."""

    name: str
    times_ns: List[int]  # of each run, in order

    @property
    def iterations(self) -> int:
        """Number of runs."""
        return len(self.times_ns)

    @property
    def total_time_ns(self) -> int:
        """Of all runs."""
        return sum(self.times_ns)

    @property
    def min_time_ns(self) -> int:
        """Of the shortest run."""
        return min(self.times_ns)

    @property
    def max_time_ns(self) -> int:
        """Of the longest run."""
        return max(self.times_ns)

    @property
    def mean_time_ns(self) -> float:
        """Of a run."""
        return self.total_time_ns / self.iterations

    @property
    def std_time_ns(self) -> float:
        """Standard deviation of the runs (n - 1); 0.0 of a single one."""
        return statistics.stdev(self.times_ns) if self.iterations > 1 else 0.0

    @property
    def confidence_interval_ns(self) -> Tuple[float, float]:
        """The 95 % interval of the mean, by Student's t. Of a single run nothing is known: (-inf, inf)."""
        if self.iterations < 2:
            return -math.inf, math.inf
        reach = student_t_95(self.iterations - 1) * self.std_time_ns / math.sqrt(self.iterations)
        return self.mean_time_ns - reach, self.mean_time_ns + reach

    @property
    def outliers_ns(self) -> List[int]:
        """Runs beyond 1.5 interquartile ranges from the quartiles, in order; none of fewer than four."""
        if self.iterations < 4:
            return []
        low, _, high = statistics.quantiles(self.times_ns, n=4, method="inclusive")
        reach = _BEYOND * (high - low)
        return [time for time in self.times_ns if not low - reach <= time <= high + reach]


def _inside(t: float, freedom: int) -> float:
    """The probability that Student's t lies between -t and t: Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, squared = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    terms = 0.0 if freedom == 1 else term
    for i in range(2 + odd, freedom - 1, 2):
        term *= squared * (i - 1) / i
        terms += term
    return 2 / math.pi * (angle + sine * terms) if odd else sine * terms


def student_t_95(freedom: int) -> float:
    """The t between whose negative and which 95 % lie."""
    if freedom > _SERIES:  # the expansion around the normal distribution's is closer than 1e-7 from there on
        z = statistics.NormalDist().inv_cdf(0.975)
        return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    low, high = 0.0, 13.0  # of one degree it is 12.7
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(middle, freedom) < 0.95 else (low, middle)
    return high
