"""Processor time of threads, and how often they came to run, as the kernel counts them: of idle ones, too."""

from __future__ import annotations

import threading
import time
from typing import Dict, Iterator, Optional

from ._select import core

_PER_THREAD = 6  # CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED: the clock of a thread, by its number


class Used:
    """By a thread: nanoseconds on the processor, and times that it came to run."""

    __slots__ = ("cpu", "turns")

    def __init__(self, cpu: int, turns: int) -> None:
        self.cpu, self.turns = cpu, turns

    def since(self, earlier: Used) -> Used:
        """The number may be that of a younger thread by now: then all of it."""
        return self if earlier.cpu > self.cpu else Used(self.cpu - earlier.cpu, max(self.turns - earlier.turns, 0))

    def plus(self, other: Used) -> Used:
        return Used(self.cpu + other.cpu, self.turns + other.turns)


NOTHING = Used(0, 0)


def _turns(tid: int) -> int:
    try:
        with open(f"/proc/self/task/{tid}/schedstat", "rb") as file:
            return int(file.read().split()[2])
    except (OSError, IndexError, ValueError):  # it has ended; or this kernel does not count
        return 0


def used(tid: int) -> Optional[Used]:
    """None: there is no such thread any more."""
    try:
        cpu = time.clock_gettime_ns(~tid << 3 | _PER_THREAD)
    except (OSError, OverflowError):
        return None
    return Used(cpu, _turns(tid))


def threads() -> Iterator[threading.Thread]:
    """Those that `threading` knows. Its enumerate() waits for a lock, which who asks from a signal handler may hold itself."""
    active: Optional[Dict[int, threading.Thread]] = getattr(threading, "_active", None)
    yield from list(active.values()) if active is not None else threading.enumerate()


class Thread_Clocks:
    """What each thread has used between begin() and end(), all such times together. By the kernel's number of it."""

    def __init__(self) -> None:
        self._names: Dict[int, str] = {}  # of their classes
        self._at_begin: Optional[Dict[int, Used]] = None  # None: not between them
        self._spent: Dict[int, Used] = {}

    def begin(self) -> None:
        self._at_begin = self._now()

    def end(self) -> None:
        self._spent = self.read()
        self._at_begin = None

    def clear(self) -> None:
        self._names, self._spent = {}, {}
        if self._at_begin is not None:
            self.begin()

    def read(self) -> Dict[int, Used]:
        """Of the threads that are alive, or were when end() was called."""
        spent = dict(self._spent)
        if self._at_begin is not None:
            for tid, used_now in self._now().items():
                spent[tid] = spent.get(tid, NOTHING).plus(used_now.since(self._at_begin.get(tid, NOTHING)))
        return spent

    def name(self, tid: int) -> str:
        """Of the thread's class; of one that ended before anybody looked, that of most."""
        return self._names.get(tid) or core._thread_class(tid) or "Thread"

    def lives(self, tid: int) -> bool:
        return used(tid) is not None

    def _now(self) -> Dict[int, Used]:
        now: Dict[int, Used] = {}
        for thread in threads():
            tid = thread.native_id
            read = used(tid) if tid is not None else None
            if tid is not None and read is not None:
                now[tid] = read
                self._names[tid] = type(thread).__name__
        return now
