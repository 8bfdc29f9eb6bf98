"""When something ran: stretches of time, one after the other."""

from __future__ import annotations

from typing import List, Optional, Tuple

_MOST = 1024  # that are kept apart


class Stretches:
    """Begins and ends, nanoseconds."""

    def __init__(self) -> None:
        self._done: List[Tuple[int, int]] = []
        self._begun: Optional[int] = None

    def begin(self, now: int) -> None:
        self._begun = now

    def end(self, now: int) -> None:
        if self._begun is not None:
            self._done.append((self._begun, now))
            self._begun = None
        if len(self._done) > _MOST:  # the two oldest become one, as long as both
            first, second = self._done[0], self._done[1]
            self._done[0:2] = [(second[0] - (first[1] - first[0]), second[1])]

    def within(self, begin: int, end: int) -> int:
        """How much of them lies between two moments; `end` is not after now."""
        stretches = self._done if self._begun is None else [*self._done, (self._begun, end)]
        return sum(max(min(end, last) - max(begin, first), 0) for first, last in stretches)
