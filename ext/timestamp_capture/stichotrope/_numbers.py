"""What tracks are called in the segment: a number each, which no two tracks of the process have at a time, of whatever profilers. So
places of the same name and line are told apart by whose they are."""

from __future__ import annotations

import heapq
import threading
import types
import weakref
from typing import Dict, List

from .types import TrackId

Functions = List["weakref.ref[types.FunctionType]"]


class _Free:
    """Numbers of profilers that are gone serve again, or sites would never end."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a profiler may go while this thread holds it
        self.numbers: List[int] = []
        self.next = 1

    def take(self) -> int:
        with self.lock:
            if self.numbers:
                return heapq.heappop(self.numbers)
            self.next += 1
            return self.next - 1

    def give_back(self, taken: Dict[TrackId, int], functions: Functions) -> None:
        """Unless a function that is marked with one of them may be called still."""
        if any(function() is not None for function in functions):
            return
        with self.lock:
            for number in taken.values():
                heapq.heappush(self.numbers, number)


_free = _Free()


class Numbers:
    """Of one profiler."""

    def __init__(self, functions: Functions) -> None:
        self.taken: Dict[TrackId, int] = {}
        weakref.finalize(self, _free.give_back, self.taken, functions).atexit = False

    def of(self, track_idx: TrackId) -> int:
        if track_idx not in self.taken:
            self.taken[track_idx] = _free.take()
        return self.taken[track_idx]


def in_child() -> None:
    """Of fork."""
    _free.lock = threading.RLock()
